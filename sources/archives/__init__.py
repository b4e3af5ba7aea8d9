"""Archives: tar and zip files as documents, streamed and never unpacked to disk.

    ArchiveSource(pattern, limits)   archive:PATH_OR_GLOB

The map:

    source    ArchiveSource               limits   Limits, and Refused beyond them
    tarunit   one tar archive as a unit   zipunit  ranges of a zip archive as units
    tars      members of a tar stream     zips     a zip archive's directory
    feed      exact reads of a stream     unzip    one member of a zip archive
    choice    which members are read      names    safe paths; repository and ref by name
    packages  metadata of released packages; times of members
"""

from sources.archives.limits import Limits
from sources.archives.source import ArchiveSource

__all__ = ["ArchiveSource", "Limits"]
