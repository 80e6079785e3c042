"""What has nothing to do with networks: the command line, arguments, files, tables, memory."""
