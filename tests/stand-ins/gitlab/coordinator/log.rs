//! Logs as runners send them: each line begins with a time stamp and the name of its stream.

/// `2026-11-29T12:12:58.307378Z 00O `; the last byte is `+` where the text goes on with the line before.
const HEADER: usize = 32;

/// What a log says, without time stamps. Lines that have none, as an older runner sends them, stay as they are.
pub fn plain(log: &[u8]) -> Vec<u8> {
    let mut text: Vec<u8> = Vec::with_capacity(log.len());
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        let Some((header, rest)) = line.split_at_checked(HEADER).filter(|(header, _)| is_header(header)) else {
            text.extend(line);
            continue;
        };
        if header.ends_with(b"+") && text.ends_with(b"\n") {
            text.pop();
        }
        text.extend(rest);
    }
    text
}

fn is_header(header: &[u8]) -> bool {
    let is_at = |at: usize, byte| header.get(at) == Some(&byte);
    is_at(4, b'-')
        && is_at(10, b'T')
        && is_at(26, b'Z')
        && is_at(27, b' ')
        && matches!(header.get(30), Some(b'O' | b'E'))
        && matches!(header.last(), Some(b' ' | b'+'))
}
