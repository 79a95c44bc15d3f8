"""How the explorer looks: the colours are the terminal's own, so that it is readable on light and dark ones."""

LOOK = """
Screen, ModalScreen { background: ansi_default; color: ansi_default; layout: vertical; }
#title { height: 1; text-style: bold; }
#title, .head { background: ansi_default; color: ansi_default; }
.head { height: auto; border-bottom: solid ansi_blue; max-height: 50%; }
#left { width: 2fr; max-width: 72; border-right: solid ansi_blue; }
#right { width: 3fr; }
#layers { min-height: 3; }
#details { height: auto; max-height: 50%; border-top: solid ansi_blue; color: ansi_default; }
.narrow #left { width: 1fr; max-width: 100%; border-right: none; }
.narrow .files #left, .narrow.files #left { display: none; }
.narrow.layers #right { display: none; }
.low #details { display: none; }
#place { height: 1; color: ansi_default; }
#state { height: 1; color: ansi_default; }
.keys { height: 1; color: ansi_default; text-style: dim; }
#prompt { display: none; height: 1; border: none; padding: 0; background: ansi_default; color: ansi_default; }
"""
