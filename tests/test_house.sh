#!/bin/sh
# Checks every #include under runtime/ against the table of runtime/README.md, and that what is POSIX stays in its place.
# usage: test_house.sh SOURCE_DIR
set -eu
cd "${1:?usage: test_house.sh SOURCE_DIR}"

find runtime -name '*.[ch]' | sort | xargs grep -Hn '^[[:space:]]*#[[:space:]]*include' | awk '
BEGIN {
    FS = "|"
    while ((getline line < "runtime/README.md") > 0) {
        if (line !~ /^\| `[a-z]+\/`/)
            continue
        n = split(line, cell, "|")
        room = cell[2]
        gsub(/[` \/]/, "", room)
        may[room] = " " cell[4] " " room " "
        rooms++
    }
    if (rooms < 8) {
        print "runtime/README.md: found only " rooms " rooms in its table"
        bad = 1
    }
    split("pthread.h unistd.h fcntl.h dirent.h dlfcn.h poll.h termios.h netdb.h", names, " ")
    for (i in names)
        posix[names[i]] = 1
    # Places of the systems own headers: one idea in three files for the library, one file for the terminal.
    home["runtime/core/platform.c"] = 1
    home["runtime/core/platform_files.c"] = 1
    home["runtime/core/platform_dir.c"] = 1
    home["runtime/cli/interrupt.c"] = 1
}
{
    split($0, part, ":")
    file = part[1]
    where = part[1] ":" part[2]
    room = file
    sub(/^runtime\//, "", room)
    sub(/\/.*/, "", room)
    if (!(room in may)) {
        print where ": room \"" room "\" is not in the table of runtime/README.md"
        bad = 1
        next
    }
    text = $0
    if (text ~ /include[[:space:]]*"/) {
        sub(/.*include[[:space:]]*"/, "", text)
        sub(/".*/, "", text)
        to = text
        if (to !~ /\//) {
            print where ": \"" text "\": write the room too, as in \"" room "/" text "\""
            bad = 1
            next
        }
        sub(/\/.*/, "", to)
    } else {
        sub(/.*include[[:space:]]*</, "", text)
        sub(/>.*/, "", text)
        if (text ~ /^oclm\/oclm\.h$/)
            next
        if (text ~ /^(oclm\/opencl\.h|CL\/|OpenCL\/)/) to = "opencl"
        else if (text ~ /clblast/) to = "clblast"
        else if (text ~ /^cjson\//) to = "cjson"
        else if (text ~ /^utf8proc/) to = "utf8proc"
        else if (text ~ /^pcre2/) to = "pcre2"
        else if (text ~ /^curl\//) to = "curl"
        else if (text ~ /^openssl\//) to = "openssl"
        else {
            if ((text in posix || text ~ /^sys\//) && !(file in home)) {
                print where ": <" text "> belongs in runtime/core/platform*.c"
                bad = 1
            }
            next
        }
        if (text ~ /^(CL|OpenCL)\// ) {
            print where ": <" text ">: OpenCL headers come through device/opencl.h"
            bad = 1
        }
    }
    if (index(may[room], " " to " ") == 0) {
        print where ": " room "/ may not include " text " (its row in runtime/README.md says:" may[room] ")"
        bad = 1
    }
    seen++
}
END {
    if (seen < 20) {
        print "only " seen + 0 " includes seen: is this the source folder?"
        bad = 1
    }
    if (!bad)
        print seen " includes follow the table"
    exit bad
}'
