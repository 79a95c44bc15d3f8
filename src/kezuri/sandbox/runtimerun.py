from typing import NoReturn
def clean_up(pid): pass
def become(step, channel, runtime, np) -> NoReturn: raise NotImplementedError
