# The socket of a broker, which root alone may open. A pure function.
{
  description,
  # Where it is.
  path,
  # How many may ask at once; systemd hangs up on whoever comes after.
  most ? 4,
}:

{
  inherit description;
  wantedBy = [ "sockets.target" ];
  before = [ "sockets.target" ];
  unitConfig = {
    DefaultDependencies = false;
    # A switch that removes the runner stops it, and then it takes its
    # registration back.
    X-StopOnRemoval = false;
  };
  listenStreams = [ path ];
  socketConfig = {
    Accept = true;
    DirectoryMode = "0700";
    MaxConnections = most;
    RemoveOnStop = true;
    SocketMode = "0600";
    # Only root can connect, and a socket that gave up would keep runners down.
    TriggerLimitIntervalSec = 0;
  };
}
