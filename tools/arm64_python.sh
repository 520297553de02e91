#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unpacks the Python for arm64 of this machine's Debian, and makes FOLDER/python3, which runs it under qemu-user.
# Installs nothing on the machine; needs apt and qemu-user. usage: arm64_python.sh FOLDER
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
[ ! -e "$folder/python3" ] || exit 0
qemu=$(command -v qemu-aarch64) || { echo "pixview: no qemu-aarch64: apt install qemu-user" >&2; exit 1; }
mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" "$folder/root"
touch "$folder/apt/status"
cat >"$folder/apt/conf" <<END
APT::Architecture "arm64";
APT::Architectures "arm64";
APT::Install-Recommends "0";
Dir::State "$folder/apt";
Dir::State::status "$folder/apt/status";
Dir::Cache "$folder/apt";
END
export APT_CONFIG="$folder/apt/conf"
apt-get update -q >"$folder/apt/log"
apt-get install -q -y --download-only python3-venv libstdc++6 >>"$folder/apt/log"
for package in "$folder"/apt/archives/*.deb; do
    dpkg-deb -x "$package" "$folder/root"
done
rm -r "$folder/apt"
# By the name it was called by, it finds a virtual environment.
cat >"$folder/python3" <<END
#!/bin/sh
exec $qemu -L $folder/root -0 "\$0" $folder/root/usr/bin/python3 "\$@"
END
chmod +x "$folder/python3"
