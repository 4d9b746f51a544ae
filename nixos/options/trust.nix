# Whether a runner is for jobs of people whom nobody knows.
{ lib, ... }:

let
  inherit (lib) mkOption types;
in
{
  options.trust = mkOption {
    type = types.nullOr (types.enum [ "untrusted" ]);
    default = null;
    example = "untrusted";
    description = ''
      Opens nothing: with `untrusted`, whatever lets one job reach the host, its network or another job is refused or closed.

      It needs {option}`ephemeral`, and refuses devices and their groups, groups by which jobs become root,
      {option}`sandbox.sudo`, {option}`sandbox.namespaces`, {option}`containers.engine`, a trusted {option}`nix.access`,
      {option}`cacheDirectory`, a {option}`cleanWorkDir` of `never`, {option}`createUser`, {option}`workDir`,
      {option}`exposeSystemServices` and {option}`trustJobsLikeRoot`. Jobs cannot speak to link-local addresses, where clouds have
      their metadata, nor to private ones.

      **Name servers of most networks have private addresses**: allow yours by `serviceOverrides.IPAddressAllow`, for example
      `[ "10.0.0.53" ]`, and a proxy or a GitHub Enterprise Server as well. Services of the host on its loopback and public addresses stay in
      reach. All jobs share the kernel of the host; who needs more than that wants a machine for each job, see
      {option}`services.github-runner-on-demand`.
    '';
  };
}
