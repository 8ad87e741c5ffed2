"""Lists of videos and tubes: those that others published, read and written exactly, and our own."""
