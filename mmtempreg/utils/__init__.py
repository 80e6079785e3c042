"""Helpers without networks: the command line, arguments, files, tables, memory."""
