"""The forms of layers: directories, listings and blobs, made when somebody needs them."""
