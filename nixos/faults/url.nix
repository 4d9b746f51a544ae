# The page that a runner registers for, taken apart: whose it is, and what can be
# wrong with it, the first fault to name first. The runner accepts many of these
# faults and then fails in a way that does not name the cause.
{ lib }:

url:

let
  parts = builtins.match "([^:/?#]*)://([^/?#]*)([^?#]*)(.*)" url;
  part = index: if parts == null then "" else builtins.elemAt parts index;
  scheme = part 0;
  authority = part 1;
  # One trailing slash is how many people copy it.
  path = lib.removePrefix "/" (lib.removeSuffix "/" (part 2));
  suffix = part 3;
  # An organization, a repository with its owner, or an enterprise.
  segments = lib.splitString "/" path;
  owner = builtins.head segments;
  isPair = builtins.length segments == 2;
  # How the browser shows many pages about an organization, which nobody is called.
  isAbout =
    builtins.length segments > 1
    && builtins.elem (lib.toLower owner) [
      "organizations"
      "orgs"
    ];
  isEnterprise = isPair && lib.toLower owner == "enterprises";
in
{
  inherit isEnterprise owner;
  isRepository = isPair && !isEnterprise;

  faults = [
    {
      fault = scheme != "https";
      message = "does not start with `https://`. The token travels to this address; use `https://`.";
    }
    {
      fault = lib.hasInfix "@" authority;
      message = "holds a user name or a password. Remove everything up to the `@`; the token belongs into `tokenFile`.";
    }
    {
      fault = builtins.match ".*:[0-9]*" authority != null;
      message = "names a port, which the runner drops when it asks for a registration. Remove the port.";
    }
    {
      fault = builtins.match "[A-Za-z0-9.-]+" authority == null;
      message = "has no valid host name. Copy the address of the page from a browser.";
    }
    {
      fault = lib.toLower authority == "www.github.com";
      message = "is not the address that GitHub's API knows. Write `https://github.com` without `www.`.";
    }
    {
      fault = suffix != "";
      message = "has a query or a fragment. Remove everything from the `?` or `#` on.";
    }
    {
      fault = builtins.stringLength url > 512;
      message = "is longer than 512 characters, and no page of GitHub is. Copy the address of the page from a browser.";
    }
    {
      fault = lib.hasSuffix ".git" path;
      message = "is an address to clone from. Remove the `.git`.";
    }
    {
      fault = isAbout;
      message = "is one of the pages about an organization. Write the address of the organization itself, `https://${authority}/${builtins.elemAt segments 1}`.";
    }
    {
      fault = builtins.match "[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?" path == null;
      message = "is not the page of a repository, an organization or an enterprise. Write `https://HOST/OWNER/REPOSITORY`, `https://HOST/ORGANIZATION` or `https://HOST/enterprises/NAME`.";
    }
  ];
}
