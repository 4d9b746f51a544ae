# What jobs of people whom nobody knows cannot reach. A pure function over values.
runner: {
  lists.IPAddressDeny =
    if runner.trust == "untrusted" then
      [
        # Link-local, with the metadata of clouds, in both families; then private ones.
        "169.254.0.0/16"
        "10.0.0.0/8"
        "172.16.0.0/12"
        "192.168.0.0/16"
        "fe80::/10"
        "fc00::/7"
      ]
    else
      [ ];
}
