# Whether a value holds a token of GitHub or a private key, by what these start
# with. A regular expression such as `ghp_[a-z]+` does not.
let
  prefixes = [
    "gho_"
    "ghp_"
    "ghr_"
    "ghs_"
    "ghu_"
    "github_pat_"
  ];
in
value:

let
  # Cheap, for the many texts in which there is nothing.
  hasAny = parts: builtins.replaceStrings parts (map (_: "") parts) value != value;
  has = part: hasAny [ part ];
  isToken = builtins.match "(.*[^A-Za-z0-9_])?(gh[oprsu]_|github_pat_)[A-Za-z0-9].*" value != null;
in
builtins.isString value
&& ((hasAny prefixes && isToken) || (has "-----BEGIN " && has "PRIVATE KEY-----"))
