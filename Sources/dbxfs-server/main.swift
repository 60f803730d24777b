print("dbxfs-server")
