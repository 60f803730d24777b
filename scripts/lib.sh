# Shared by the scripts in this folder; sourced, never run. The one place that names packages and the toolchain.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

swift_version=6.3.1
# Primary keys of "Swift 6.x Release Signing Key" and of the release automation, as swift.org publishes them.
swift_keys="52BB7E3DE28A71BE22EC05FFEF80A866B47A981F E813C892820A6FA13755B268F167DF1ACF9CE069"

packages_run=(fuse3 ca-certificates)
packages_build=(
    "${packages_run[@]}" binutils curl git gnupg gcc libc6-dev libcurl4-openssl-dev libedit2 libfuse3-dev libgcc-12-dev
    libncurses6 libpython3.11 libsqlite3-dev libstdc++-12-dev libxml2-dev libz3-dev libzstd-dev pkg-config tzdata
    zlib1g-dev)
packages_test=(
    "${packages_build[@]}" attr dbus inotify-tools make openssl postgresql procps psmisc python3 python3-dbus python3-gi rsync sqlite3 systemd tar util-linux)

die() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit "${2:-1}"
}

say() { printf '== %s\n' "$1"; }

# Prints the script's usage: the comment block under its first line.
usage() { sed -n '2,/^[^#]/{/^# \{0,1\}/{s///;p}}' "$0"; }

# Installs the Debian packages that are missing; asks for root only then.
install_packages() {
    local package missing=()
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "packages are missing and there is no sudo; as root run: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}"
}

# Puts a Swift of at least our version in PATH: the one there, /opt/swift, or a verified download.
find_swift() {
    local place
    local kept="${XDG_DATA_HOME:-$HOME/.local/share}/dbxfs-toolchain/swift-$swift_version"
    for place in "" /opt/swift/usr/bin "$kept/usr/bin"; do
        if swift_is_enough "${place:+$place/}swift"; then
            [ -z "$place" ] || PATH="$place:$PATH"
            return 0
        fi
    done
    download_swift "$kept"
    PATH="$kept/usr/bin:$PATH"
}

# Builds the simulation's release program, which is $simulator then. In $root, with a Swift in PATH.
build_simulator() {
    build_simulation dbxfs-simulate
    simulator=$root/.build/simulation/release/dbxfs-simulate
}

# The same with the program that runs cases for sync, which is $case_runner then.
build_case_runner() {
    build_simulation dbxfs-cases
    case_runner=$root/.build/simulation/release/dbxfs-cases
}

build_simulation() { swift build -c release --scratch-path .build/simulation --product "$1" </dev/null; }

swift_is_enough() {
    local found
    found=$("$1" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' | head -1) || return 1
    [ -n "$found" ] && [ "$(printf '%s\n%s\n' "$swift_version" "$found" | sort -V | head -1)" = "$swift_version" ]
}

# Downloads the toolchain from swift.org to $1 and unpacks it only if one of the known keys has signed it.
download_swift() {
    local platform url work
    # shellcheck source=/dev/null
    platform=$(. /etc/os-release && printf '%s%s' "$ID" "$VERSION_ID")
    [ "$platform" = debian12 ] || die "there is no Swift $swift_version here; install it from https://www.swift.org/install"
    case $(dpkg --print-architecture) in
        amd64) ;;
        arm64) platform=debian12-aarch64 ;;
        *) die "swift.org has no Swift for this processor" ;;
    esac
    url="https://download.swift.org/swift-$swift_version-release/$platform/swift-$swift_version-RELEASE/swift-$swift_version-RELEASE-$platform.tar.gz"
    say "downloading Swift $swift_version (about 1 GB)"
    work=$(mktemp -d)
    mkdir -m 700 "$work/gnupg"
    curl -fsSL --proto '=https' https://www.swift.org/keys/all-keys.asc | gpg --homedir "$work/gnupg" --quiet --import
    curl -fL --proto '=https' -o "$work/swift.tar.gz" "$url"
    curl -fsSL --proto '=https' -o "$work/swift.tar.gz.sig" "$url.sig"
    local signer
    signer=$(gpg --homedir "$work/gnupg" --status-fd 1 --verify "$work/swift.tar.gz.sig" "$work/swift.tar.gz" 2>/dev/null |
        awk '$2 == "VALIDSIG" { print $NF }') || true
    case " $swift_keys " in
        *" ${signer:-none} "*) ;;
        *) rm -rf "$work"; die "the Swift download is not signed by a known key; nothing was installed" ;;
    esac
    mkdir -p "$1"
    tar -xzf "$work/swift.tar.gz" -C "$1" --strip-components=1
    rm -rf "$work"
}

# Builds the products named, and sets $products to where they are.
configuration=${DBXFS_CONFIGURATION:-release}
build_products() {
    local product options=(-c "$configuration")
    for product in "$@"; do
        say "building $product ($configuration)"
        (cd "$root" && swift build "${options[@]}" --product "$product" </dev/null)
    done
    products=$(cd "$root" && swift build "${options[@]}" --show-bin-path </dev/null)
}

# Installs a binary unless the same one is there; a running one keeps its old file.
install_binary() {
    cmp -s "$1" "$2" || install -D -m 755 "$1" "$2"
}

# Shell completion for the current user (or below $1/share with a prefix), from the binaries themselves.
install_completions() {
    local binary name share=${1:-${XDG_DATA_HOME:-$HOME/.local/share}}
    shift
    for binary in "$@"; do
        name=$(basename "$binary")
        mkdir -p "$share/bash-completion/completions" "$share/zsh/site-functions" "$share/fish/vendor_completions.d"
        "$binary" --generate-completion-script bash >"$share/bash-completion/completions/$name"
        "$binary" --generate-completion-script zsh >"$share/zsh/site-functions/_$name"
        "$binary" --generate-completion-script fish >"$share/fish/vendor_completions.d/$name.fish"
    done
}
