#!/bin/sh
# adduser, addgroup, deluser and delgroup over /etc/passwd, /etc/group and /etc/shadow: the busybox of this image has
# none of them. Does what it is called as. Passwords are never asked for: accounts are locked.
set -eu
me=${0##*/}

fail() {
	echo "$me: $*" >&2
	exit 1
}

has() { grep -q "^$2:" "/etc/$1"; }

field() { awk -F: -v name="$2" -v n="$3" '$1 == name { print $n; exit }' "/etc/$1"; }

# The lowest number that no entry of the file has.
unused() {
	awk -F: -v low="$2" -v high="$3" '
		{ taken[$3] = 1 }
		END { for (i = low; i <= high; i++) if (!(i in taken)) { print i; exit } }' "/etc/$1"
}

without() {
	kept=$(grep -v "^$2:" "/etc/$1" || true)
	printf '%s\n' "$kept" > "/etc/$1"
}

valid() {
	case $1 in
	"" | -* | *[!A-Za-z0-9_.-]*) fail "'$1' is not a name" ;;
	esac
}

number() {
	case $1 in
	"" | *[!0-9]*) fail "'$1' is not a number" ;;
	esac
}

new_group() { # name, number or nothing
	valid "$1"
	! has group "$1" || fail "group '$1' in use"
	id=$2
	[ -n "$id" ] || id=$(unused group "$first" "$last")
	number "$id"
	! cut -d: -f3 /etc/group | grep -qx "$id" || fail "gid '$id' in use"
	echo "$1:x:$id:" >> /etc/group
}

join() { # user, group
	has group "$2" || fail "unknown group $2"
	awk -F: -v OFS=: -v user="$1" -v group="$2" '
		$1 == group && ("," $4 ",") !~ ("," user ",") { $4 = ($4 == "" ? user : $4 "," user) }
		{ print }' /etc/group > /etc/group.new
	cat /etc/group.new > /etc/group
	rm /etc/group.new
}

gid_of() { # name or number of a group
	gid=$(field group "$1" 3)
	if [ -z "$gid" ]; then
		case $1 in
		*[!0-9]*) fail "unknown group $1" ;;
		*) gid=$1 ;;
		esac
	fi
	echo "$gid"
}

case $me in
adduser)
	short=h:g:s:G:SDHu:k:
	long=home:,gecos:,shell:,ingroup:,system,disabled-password,empty-password,no-create-home,uid:,skel:
	;;
addgroup) short=g:S long=gid:,system ;;
deluser | delgroup) short="" long=remove-home ;;
*) fail "called by an unknown name" ;;
esac
parsed=$(getopt -n "$me" -o "$short" -l "$long" -- "$@") || exit 1
eval "set -- $parsed"

home="" gecos="" shell="" group="" system="" uid="" make_home=yes remove=""
while [ "$1" != -- ]; do
	case $1 in
	-h | --home) home=$2; shift ;;
	-s | --shell) shell=$2; shift ;;
	-G | --ingroup | --gid) group=$2; shift ;;
	-g)
		if [ "$me" = addgroup ]; then group=$2; else gecos=$2; fi
		shift
		;;
	--gecos) gecos=$2; shift ;;
	-u | --uid) uid=$2; shift ;;
	-k | --skel) shift ;;
	-S | --system) system=yes ;;
	-H | --no-create-home) make_home="" ;;
	--remove-home) remove=yes ;;
	esac
	shift
done
shift
[ $# -ge 1 ] || fail "no name given"
first=1000 last=59999
[ -z "$system" ] || first=100 last=999

case $me in
addgroup)
	if [ $# -eq 2 ]; then
		join "$1" "$2"
	else
		new_group "$1" "$group"
	fi
	;;
adduser)
	if [ $# -eq 2 ]; then
		has passwd "$1" || fail "unknown user $1"
		join "$1" "$2"
		exit 0
	fi
	name=$1
	valid "$name"
	! has passwd "$name" || fail "user '$name' in use"
	[ -n "$uid" ] || uid=$(unused passwd "$first" "$last")
	number "$uid"
	! cut -d: -f3 /etc/passwd | grep -qx "$uid" || fail "uid '$uid' in use"
	if [ -n "$group" ]; then
		gid=$(gid_of "$group")
	elif [ -n "$system" ] && has group nogroup; then
		gid=$(field group nogroup 3)
	elif has group "$name"; then
		gid=$(field group "$name" 3)
	elif cut -d: -f3 /etc/group | grep -qx "$uid"; then
		new_group "$name" ""
		gid=$(field group "$name" 3)
	else
		new_group "$name" "$uid"
		gid=$uid
	fi
	[ -n "$home" ] || home=/home/$name
	if [ -z "$shell" ]; then
		shell=/bin/sh
		[ -z "$system" ] || shell=/bin/false
	fi
	echo "$name:x:$uid:$gid:$gecos:$home:$shell" >> /etc/passwd
	echo "$name:!::0:99999:7:::" >> /etc/shadow
	if [ -n "$make_home" ] && [ ! -e "$home" ] && [ "$home" != /dev/null ]; then
		mkdir -p "$home"
		chown "$uid:$gid" "$home"
	fi
	;;
deluser)
	has passwd "$1" || fail "unknown user $1"
	home=$(field passwd "$1" 6)
	without passwd "$1"
	without shadow "$1"
	has group "$1" && without group "$1"
	[ -z "$remove" ] || [ "$home" = / ] || rm -rf "$home"
	;;
delgroup)
	[ $# -eq 1 ] || fail "taking a user out of a group is not supported in this stand-in"
	has group "$1" || fail "unknown group $1"
	without group "$1"
	;;
esac
