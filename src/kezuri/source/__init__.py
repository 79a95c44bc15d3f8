"""Where inputs come from: context, image, layout."""
