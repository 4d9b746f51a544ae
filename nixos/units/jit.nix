# Whether GitHub makes a runner's registration whatever its start finds, so that
# nobody ever runs the listener's own `configure` for it. Only where that is certain
# beforehand: the content of a token file is not known here, and other servers than
# github.com may know nothing of making runners. A pure function over values.
runner:

runner.registration.method == "jit"
|| (
  runner.registration.method == null
  && runner.ephemeral
  && (runner.githubApp != null || runner.tokenType == "access")
  && builtins.match "https://github.com/.*" runner.url != null
  # The group of a repository's runner can only be found by its listener.
  && (runner.runnerGroup == null || builtins.match "https://github.com/[^/]+" runner.url != null)
)
