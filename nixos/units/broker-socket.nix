# The socket of a broker, which root alone may open. A pure function.
{
  description,
  # Where it is.
  path,
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
    MaxConnections = 4;
    RemoveOnStop = true;
    SocketMode = "0600";
    # Only root can connect, and a socket that gave up would keep runners down.
    TriggerLimitIntervalSec = 0;
  };
}
