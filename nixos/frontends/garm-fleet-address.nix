# What an address such as `http://192.0.2.10:8080` consists of, or null if it is none. `address` is null where it is a name.
{ lib }:

url:
let
  parts = builtins.match "(https?)://([A-Za-z0-9.-]+)(:([0-9]+))?" url;
  host = builtins.elemAt parts 1;
  isAddress = builtins.match "[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+" host != null;
  port = builtins.elemAt parts 3;
  tls = lib.hasPrefix "https:" url;
in
if parts == null then
  null
else
  {
    inherit host tls;
    address = if isAddress then host else null;
    port =
      if port != null then
        port
      else if tls then
        "443"
      else
        "80";
  }
