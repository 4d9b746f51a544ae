# Path of the file that registers a runner, a token's or an App's key, as a text:
# interpolating a path would copy the secret into the store.
runner:
toString (if runner.githubApp != null then runner.githubApp.privateKeyFile else runner.tokenFile)
