# The images of machines for jobs, whoever asks for the machines: by names, so that a job
# chooses among what the operator configured and never names a path.
{ lib, ... }:

let
  inherit (lib) mkOption types;
in
{
  options.services.ci-machines.images = mkOption {
    type = types.attrsOf (types.submodule ../options/ci-image.nix);
    default = { };
    example = {
      debian.root = "/var/lib/gitlab-nspawn-images/debian";
    };
    description = ''
      Root file systems from which machines for jobs are made, by the names that jobs have for them (`image:` of GitLab).
      All images are offered to all jobs of this host: whoever can start a job can choose any of them. An image alone makes nothing.
    '';
  };
}
