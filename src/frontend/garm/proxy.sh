# shellcheck shell=sh disable=SC2154
# Tells the package managers of a new instance which proxies there are. Each file is one that this makes, or gets its lines
# once.
any=${https:-$http}
if [ -d /etc/apt/apt.conf.d ]; then
    {
        [ -z "$http" ] || echo "Acquire::http::Proxy \"$http\";"
        [ -z "$https" ] || echo "Acquire::https::Proxy \"$https\";"
    } > /etc/apt/apt.conf.d/95garm-proxy
fi
for file in /etc/dnf/dnf.conf /etc/yum.conf; do
    if [ -f "$file" ] && ! grep -q '^proxy=' "$file"; then
        echo "proxy=$any" >> "$file"
    fi
done
if [ -d /etc/zypp ] && [ -d /etc/sysconfig ]; then
    {
        echo 'PROXY_ENABLED="yes"'
        echo "HTTP_PROXY=\"$http\""
        echo "HTTPS_PROXY=\"$any\""
        echo "NO_PROXY=\"$none\""
    } > /etc/sysconfig/proxy
fi
