# The virtual host of runners on demand. A pure function of the options. What counts is decided behind it: this keeps
# slow and large requests away from the door, and tells it who asks.
{ lib }:

{
  # Value of `services.github-runner-on-demand`.
  options,
  # The door's socket.
  socket,
}:

let
  zone = "github-runner-door";
in
{
  enable = true;

  # By the address of the caller.
  commonHttpConfig = ''
    limit_req_zone $binary_remote_addr zone=${zone}:1m rate=10r/m;
  '';

  virtualHosts.${lib.removePrefix "https://" options.address} = {
    forceSSL = lib.mkDefault true;
    enableACME = lib.mkDefault true;
    locations."/" = {
      proxyPass = "http://unix:${socket}:";
      # They would set the header a second time.
      recommendedProxySettings = false;
      # A request waits for its machine, for at most 300 seconds.
      extraConfig = ''
        limit_req zone=${zone} burst=20 nodelay;
        limit_req_status 429;
        client_max_body_size 16k;
        proxy_http_version 1.1;
        proxy_set_header Connection close;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_read_timeout 330s;
        proxy_buffering off;
      '';
    };
  };
}
