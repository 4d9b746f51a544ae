# A machine with nginx before something that answers in GARM's place at every path. For tests only.
{ pkgs, ... }:

let
  answers = pkgs.writeText "answers.py" ''
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

    HTTPServer(("127.0.0.1", 9997), Answers).serve_forever()
  '';
in
{
  imports = [ ../. ];

  services.garm-fleet = {
    enable = true;
    garm.package = pkgs.writeShellScriptBin "garm" "exec ${pkgs.python3}/bin/python3 ${answers}";
    jwtSecretFile = "/etc/secrets/jwt";
    databasePassphraseFile = "/etc/secrets/passphrase";
    admin.passwordFile = "/etc/secrets/admin";
    domain = "garm.example.org";
    guestUrl = "http://192.0.2.10:8080";
    incus.enable = false;
  };
  environment.etc = {
    # Obviously none.
    "secrets/jwt".text = "not-a-secret-0123456789-abcdef-ghijkl";
    "secrets/passphrase".text = "not-a-secret-0123456789-abcdef-g";
    "secrets/admin".text = "Not-a-Secret-0123456789";
  };
  networking.interfaces.lo.ipv4.addresses = [
    {
      address = "192.0.2.10";
      prefixLength = 32;
    }
  ];
  # No certificate here: callers are on this machine.
  services.nginx.virtualHosts."garm.example.org" = {
    enableACME = false;
    forceSSL = false;
  };
}
