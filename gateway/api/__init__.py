"""Faces over HTTP. A face never touches the store's tables; it asks the rooms."""
