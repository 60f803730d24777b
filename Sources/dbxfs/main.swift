print("dbxfs")
