#!/bin/sh
# Stands where Alpine's package manager would be. What the image has already can be "added"; nothing else can.
included="alpine-baselayout busybox ca-certificates ca-certificates-bundle ssl_client tzdata"
# Where Debian's C library is, what Alpine adds for programs that are linked to it is there, too.
[ ! -d /usr/lib64 ] && [ ! -e /lib/ld-linux-aarch64.so.1 ] || included="$included libc6-compat gcompat libgcc libstdc++"
command="" lacking=""
for word in "$@"; do
	case $word in
	-t | --virtual) echo "apk: this stand-in does not know $word" >&2; exit 1 ;;
	-*) ;;
	*)
		if [ -z "$command" ]; then
			command=$word
			continue
		fi
		name=${word%%[<>=~]*}
		case " $included " in
		*" $name "*) ;;
		*) lacking="$lacking $name" ;;
		esac
		;;
	esac
done
case $command in
add)
	[ -n "$lacking" ] || { echo "apk: nothing to do, this stand-in has it already"; exit 0; }
	why="it cannot add:$lacking"
	;;
update) exit 0 ;;
*) why="it cannot do: apk $*" ;;
esac
cat >&2 <<END
apk: this image is no Alpine Linux but kezuri's stand-in for it, made from Debian packages without a package
apk: manager; $why
apk: use the official image, where a container registry can be reached, or a base that has what you need
END
exit 1
