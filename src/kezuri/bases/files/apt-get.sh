#!/bin/sh
# Stands where Debian's package manager would be.
case " $* " in
*" clean "* | *" autoclean "* | *" autoremove "*) exit 0 ;;
esac
name=${0##*/}
cat >&2 <<END
$name: this image is kezuri's stand-in, made from Debian packages without a package manager;
$name: it cannot do: $name $*
$name: use the official image, where a container registry can be reached, or a base that has what you need
END
exit 1
