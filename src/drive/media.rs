//! Content types by extension, and which of them a browser may show by itself.

/// The type of a file by its name; bytes when nothing is known.
#[must_use]
pub fn of(name: &[u8]) -> &'static str {
    let extension = name.rsplit(|b| *b == b'.').next().filter(|ext| ext.len() < name.len());
    let extension = extension.map(<[u8]>::to_ascii_lowercase).unwrap_or_default();
    match extension.as_slice() {
        b"txt" | b"log" | b"md" | b"ini" | b"conf" | b"cfg" | b"toml" | b"sh" | b"py" | b"rs" | b"c" | b"h"
        | b"diff" | b"patch" | b"nfo" | b"asc" | b"sum" => "text/plain; charset=utf-8",
        b"csv" => "text/csv; charset=utf-8",
        b"htm" | b"html" => "text/html; charset=utf-8",
        b"css" => "text/css; charset=utf-8",
        b"js" | b"mjs" => "text/javascript; charset=utf-8",
        b"json" => "application/json",
        b"xml" | b"xsd" | b"xsl" => "application/xml",
        b"yml" | b"yaml" => "application/yaml",
        b"sql" => "application/sql",
        b"svg" => "image/svg+xml",
        b"png" => "image/png",
        b"jpg" | b"jpeg" => "image/jpeg",
        b"gif" => "image/gif",
        b"webp" => "image/webp",
        b"avif" => "image/avif",
        b"ico" => "image/x-icon",
        b"tif" | b"tiff" => "image/tiff",
        b"mp3" => "audio/mpeg",
        b"ogg" | b"oga" | b"opus" => "audio/ogg",
        b"wav" => "audio/wav",
        b"flac" => "audio/flac",
        b"mp4" | b"m4v" => "video/mp4",
        b"webm" => "video/webm",
        b"mov" => "video/quicktime",
        b"pdf" => "application/pdf",
        b"zip" => "application/zip",
        b"gz" | b"tgz" => "application/gzip",
        b"zst" => "application/zstd",
        b"xz" => "application/x-xz",
        b"bz2" => "application/x-bzip2",
        b"7z" => "application/x-7z-compressed",
        b"tar" => "application/x-tar",
        b"doc" => "application/msword",
        b"xls" => "application/vnd.ms-excel",
        b"ppt" => "application/vnd.ms-powerpoint",
        b"docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        b"xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        b"pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        b"odt" => "application/vnd.oasis.opendocument.text",
        b"ods" => "application/vnd.oasis.opendocument.spreadsheet",
        _ => "application/octet-stream",
    }
}

/// May a browser show it in place? Only what cannot run: somebody else's upload must never become a
/// page of ours.
#[must_use]
pub fn shows_safely(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    matches!(essence, "text/plain" | "text/csv" | "application/json")
        || (essence.starts_with("image/") && essence != "image/svg+xml")
        || essence.starts_with("audio/")
        || essence.starts_with("video/")
}

/// Is it compressed by its nature, so that compressing it again is only work?
#[must_use]
pub fn is_compressed(content_type: &str) -> bool {
    let office = ["application/vnd.openxmlformats-officedocument.", "application/vnd.oasis.opendocument."];
    match content_type {
        "image/svg+xml" | "image/tiff" | "image/x-icon" | "audio/wav" | "application/x-tar" => false,
        "application/zip"
        | "application/gzip"
        | "application/zstd"
        | "application/x-xz"
        | "application/x-bzip2"
        | "application/x-7z-compressed" => true,
        other => ["image/", "audio/", "video/"].iter().chain(&office).any(|kind| other.starts_with(kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_extension_only() {
        assert_eq!(of(b"A.PNG"), "image/png");
        assert_eq!(of(b"txt"), "application/octet-stream");
        assert_eq!(of(b".tar.gz"), "application/gzip");
        assert!(!shows_safely(of(b"x.svg")));
        assert!(!shows_safely(of(b"x.html")));
        assert!(shows_safely(of(b"x.txt")));
        assert!(is_compressed(of(b"x.jpg")) && is_compressed(of(b"x.docx")) && is_compressed(of(b"x.tgz")));
        assert!(!is_compressed(of(b"x.svg")) && !is_compressed(of(b"x.tar")) && !is_compressed(of(b"x")));
    }
}
