# What nginx shows of GARM: webhooks to everybody, metadata and callbacks to guests, and nothing else of it to anybody. A pure
# function of the options.
{ lib }:

{
  # Value of `services.garm-fleet`.
  options,
  # Parts of the address as guests reach it; see garm-fleet-address.nix.
  guests,
}:

let
  # What begins with a path, and nothing that only looks like it: with a path of its own nginx passes on what it compared.
  to = size: path: {
    proxyPass = "http://127.0.0.1:${toString options.garm.port}${path}";
    # What is said twice is said otherwise, and an address that somebody made up is no address.
    recommendedProxySettings = false;
    extraConfig = ''
      client_max_body_size ${size};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_read_timeout 120s;
    '';
  };
  closed."/".return = "404";

  forGuests = {
    "/api/v1/metadata/" = to "64k" "/api/v1/metadata/";
    "/api/v1/callbacks/" = to "64k" "/api/v1/callbacks/";
  };
  # A webhook of one job, of GitHub's 25 MB at most.
  forGitHub = {
    "= /webhooks" = to "1m" "/webhooks";
    "/webhooks/" = to "1m" "/webhooks/";
  };

  certified = locations: {
    forceSSL = lib.mkDefault true;
    enableACME = lib.mkDefault true;
    locations = closed // locations;
  };
  isOne = guests.tls && options.domain == guests.host;
in
{
  enable = true;

  virtualHosts =
    lib.optionalAttrs (options.domain != null) {
      ${options.domain} = certified (forGitHub // lib.optionalAttrs isOne forGuests);
    }
    // lib.optionalAttrs (!isOne && guests.tls) { ${guests.host} = certified forGuests; }
    // lib.optionalAttrs (!guests.tls) {
      garm-fleet-guests = {
        listen = [
          {
            addr = guests.host;
            port = builtins.fromJSON guests.port;
          }
        ];
        locations = closed // forGuests;
      };
    };
}
