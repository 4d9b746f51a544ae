# Variables by which a broker reaches the server, and learns whom to believe there.
[
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
]
