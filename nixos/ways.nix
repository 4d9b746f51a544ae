# How a runner's broker reaches the server, and whom it believes there: what of
# `extraEnvironment` is meant for it. The rest of what a job gets is none of its
# business.
{ lib }:

runner:

let
  ways = [
    # Not obeyed: the broker says so.
    "GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY"
    "HTTPS_PROXY"
    "HTTP_PROXY"
    "NIX_SSL_CERT_FILE"
    "NO_PROXY"
    "SSL_CERT_DIR"
    "SSL_CERT_FILE"
    "http_proxy"
    "https_proxy"
    "no_proxy"
  ];
in
builtins.mapAttrs (_: toString) (
  lib.filterAttrs (name: value: builtins.elem name ways && value != null) runner.extraEnvironment
)
