"""Videos from the network, through yt-dlp: facts before bytes, retries by kind of error, a budget on the disk.

`acquire` is what a build calls; `Session` probes and fetches single videos.
"""
