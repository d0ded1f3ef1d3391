//! Bounds on a template's shape, checked before it is parsed.
//!
//! The template engine bounds nesting in brackets and blocks, but a chain of operators and a chain
//! of `elif` also become one level each. 4,000 of them overflow the stack of a wasm module, which
//! cannot be caught.

use crate::TextError;

/// Words and signs in one tag. The longest of 36 published templates has 62.
const TAG: usize = 600;

/// `elif` in a template. The most in those 36 is 20.
const ELIFS: usize = 600;

/// Refuses a template whose tags are too long.
pub(super) fn check(template: &str) -> Result<(), TextError> {
    let too_much = |what: &str| TextError::TemplateInvalid { message: what.to_owned() };
    let mut rest = template;
    let mut elifs = 0;
    while let Some((tag, after)) = next_tag(rest) {
        let mut weight = 0;
        let mut inside = tag;
        while let Some((word, more)) = next_word(inside) {
            weight += 1;
            elifs += usize::from(word == "elif");
            inside = more;
        }
        if weight > TAG {
            return Err(too_much("an expression is too long"));
        }
        rest = after;
    }
    if elifs > ELIFS {
        return Err(too_much("it has too many branches"));
    }
    Ok(())
}

/// The inside of the next tag, up to its end or to the end of the template, and what follows.
pub(super) fn next_tag(text: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    loop {
        let start = from + text[from..].find('{')?;
        match text.as_bytes().get(start + 1) {
            Some(b'#') => from = text[start..].find("#}").map_or(text.len(), |end| start + end + 2),
            Some(b'{' | b'%') => {
                let inside = &text[start + 2..];
                let mut at = inside;
                while let Some((word, more)) = next_word(at) {
                    if (word == "}" && more.starts_with('}'))
                        || (word == "%" && more.starts_with('}'))
                    {
                        let end = inside.len() - more.len() - 1;
                        return Some((&inside[..end], &more[1..]));
                    }
                    at = more;
                }
                return Some((inside, ""));
            }
            _ => from = start + 1,
        }
    }
}

/// The next word or sign and what follows it; a string is one sign.
pub(super) fn next_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let first = text.chars().next()?;
    let end = if first == '"' || first == '\'' {
        let mut escaped = false;
        let closing = text[1..].find(|c| {
            let ends = !escaped && c == first;
            escaped = !escaped && c == '\\';
            ends
        });
        closing.map_or(text.len(), |at| at + 2)
    } else if first.is_alphanumeric() || first == '_' {
        text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
    } else {
        first.len_utf8()
    };
    Some(text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn chains_are_refused() {
        let n = 100_000;
        for template in [
            format!("{{{{ {}1 }}}}", "not ".repeat(n)),
            format!("{{{{ {}1 }}}}", "-".repeat(n)),
            format!("{{{{ 1{} }}}}", "+1".repeat(n)),
            format!("{{{{ a{} }}}}", ".a".repeat(n)),
            format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(n)),
            format!("{{% set x = 1{}", "~1".repeat(n)),
        ] {
            assert!(check(&template).is_err(), "{}", &template[..40]);
        }
    }

    #[test]
    fn strings_comments_and_text_may_be_long() {
        let words = "a-b ".repeat(10_000);
        for template in [
            format!("{{{{ '{words}' }}}}{words}"),
            format!("{{{{ \"\\\"{words}\" }}}}"),
            format!("{{# {{{{ {words} #}}"),
            words.clone(),
            "{{ a }}{% if b %}{% endif %}".repeat(10_000),
            "{ ".repeat(10_000),
        ] {
            assert_eq!(check(&template), Ok(()), "{}", &template[..10]);
        }
    }
}
