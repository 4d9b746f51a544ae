# A package of the stand-in for `Runner.Listener`, for tests only. The stand-in reads
# its script beside the link by which it is called.
{
  runCommand,
  standIns,
  # Path of the script, on the machine or in the store.
  script,
}:

runCommand "stand-in-listener" { } ''
  mkdir -p $out/bin
  ln -s ${standIns}/bin/stand-in-listener $out/bin/Runner.Listener
  ln -s ${script} $out/bin/stand-in.json
  # A Node.js only by its name.
  mkdir -p $out/lib/externals/node24/bin
  ln -s ${standIns}/bin/stand-in-listener $out/lib/externals/node24/bin/node
''
