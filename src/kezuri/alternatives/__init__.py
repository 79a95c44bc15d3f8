"""Which base image would be better: the tags that could replace one, how old they are, when their life ends, and what
is known to be broken in them."""
