"""Media types, the file suffixes that go with them, and the groups by which people ask for files."""

from __future__ import annotations

# type → its suffixes, the usual one first. A table of our own, because the system's differs from machine to machine,
# and a file that is fetched again has to get the same name.
SUFFIXES: dict[str, tuple[str, ...]] = {
    "application/pdf": ("pdf",),
    "application/x-pdf": ("pdf",),
    "application/postscript": ("ps", "eps", "ai"),
    "application/rtf": ("rtf",),
    "text/rtf": ("rtf",),
    "application/epub+zip": ("epub",),
    "application/msword": ("doc", "dot"),
    "application/vnd.ms-excel": ("xls", "xlt"),
    "application/vnd.ms-powerpoint": ("ppt", "pps"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ("docx",),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ("xlsx",),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ("pptx",),
    "application/vnd.oasis.opendocument.text": ("odt",),
    "application/vnd.oasis.opendocument.spreadsheet": ("ods",),
    "application/vnd.oasis.opendocument.presentation": ("odp",),
    "image/jpeg": ("jpg", "jpeg", "jpe"),
    "image/png": ("png",),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/avif": ("avif",),
    "image/svg+xml": ("svg",),
    "image/bmp": ("bmp",),
    "image/tiff": ("tif", "tiff"),
    "image/heic": ("heic",),
    "image/x-icon": ("ico",),
    "image/vnd.microsoft.icon": ("ico",),
    "audio/mpeg": ("mp3",),
    "audio/mp4": ("m4a",),
    "audio/aac": ("aac",),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/wav": ("wav",),
    "audio/flac": ("flac",),
    "audio/webm": ("weba",),
    "video/mp4": ("mp4", "m4v"),
    "video/webm": ("webm",),
    "video/ogg": ("ogv",),
    "video/mpeg": ("mpeg", "mpg"),
    "video/quicktime": ("mov",),
    "video/x-matroska": ("mkv",),
    "video/x-msvideo": ("avi",),
    "application/zip": ("zip",),
    "application/x-zip-compressed": ("zip",),
    "application/gzip": ("gz", "tgz"),
    "application/x-gzip": ("gz", "tgz"),
    "application/x-tar": ("tar",),
    "application/x-7z-compressed": ("7z",),
    "application/vnd.rar": ("rar",),
    "application/x-rar-compressed": ("rar",),
    "application/x-bzip2": ("bz2", "tbz2"),
    "application/x-xz": ("xz", "txz"),
    "application/zstd": ("zst",),
    "application/java-archive": ("jar",),
    "application/x-iso9660-image": ("iso",),
    "application/json": ("json",),
    "application/xml": ("xml",),
    "text/xml": ("xml",),
    "application/rss+xml": ("xml", "rss"),
    "application/atom+xml": ("xml", "atom"),
    "text/csv": ("csv",),
    "text/plain": ("txt", "text", "log", "md"),
    "text/css": ("css",),
    "text/javascript": ("js", "mjs"),
    "application/javascript": ("js", "mjs"),
    "font/woff": ("woff",),
    "font/woff2": ("woff2",),
    "font/ttf": ("ttf",),
    "font/otf": ("otf",),
    "text/html": ("html", "htm"),
    "application/xhtml+xml": ("xhtml", "html", "htm"),
}
HTML = frozenset({"text/html", "application/xhtml+xml"})
# What a server says that does not know a file's type, or wants it to be saved rather than shown.
VAGUE = frozenset(
    {"", "text/plain", "application/octet-stream", "binary/octet-stream", "application/unknown", "unknown/unknown"}
    | {f"application/{name}" for name in ("download", "x-download", "force-download", "x-force-download")}
)
MAJOR_TYPES = frozenset(
    {"application", "audio", "chemical", "font", "image", "message", "model", "multipart", "text", "video"}
)
# group → the types it means; a type that ends in `/` stands for all of its kind
GROUPS: dict[str, tuple[str, ...]] = {
    "pdf": ("application/pdf", "application/x-pdf"),
    "images": ("image/",),
    "media": ("audio/", "video/"),
    "archives": tuple(
        kind
        for kind, suffixes in SUFFIXES.items()
        if set(suffixes) & {"zip", "gz", "tar", "7z", "rar", "bz2", "xz", "zst", "jar", "iso"}
    ),
    "documents": tuple(
        kind
        for kind, suffixes in SUFFIXES.items()
        if set(suffixes)
        & {"pdf", "ps", "rtf", "epub", "doc", "xls", "ppt", "docx", "xlsx", "pptx", "odt", "ods", "odp"}
    ),
}


def essence(content_type: str | None) -> str:
    """The `type/subtype` of a Content-Type in lower case, without parameters; empty for None."""
    return (content_type or "").partition(";")[0].strip().lower()


def suffixes_of(types: tuple[str, ...]) -> frozenset[str]:
    """The suffixes of some types; a type that ends in `/` stands for all of its kind."""
    return frozenset(suffix for kind, suffixes in SUFFIXES.items() if kind.startswith(types) for suffix in suffixes)
