//! Changes a template before it is parsed: `{% generation %}` tags go, assignments are bounded.

use super::bounds;
use std::borrow::Cow;

/// The filter that looks at a value before it is kept.
pub(super) const BOUNDED: &str = "_sidestage_bounded";

/// Only what is kept from step to step can grow without end, so every assigned value passes a
/// filter: `{% set x = y %}` becomes `{% set x = (y)|_sidestage_bounded %}`.
pub(super) fn with_bounded_values(template: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((tag, after)) = bounds::next_tag(rest) {
        let start = tag.as_ptr() as usize - rest.as_ptr() as usize;
        let expression = rest[..start].ends_with("{%").then(|| assigned(tag)).flatten();
        if let Some((from, to)) = expression {
            let so_far = start + from;
            out.push_str(&rest[..so_far]);
            out.push_str(" (");
            out.push_str(&tag[from..to]);
            out.push_str(")|");
            out.push_str(BOUNDED);
            out.push(' ');
            out.push_str(&rest[start + to..rest.len() - after.len()]);
        } else {
            out.push_str(&rest[..rest.len() - after.len()]);
        }
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Where the expression of `set name = expression` is.
fn assigned(tag: &str) -> Option<(usize, usize)> {
    let inside = tag.strip_prefix(['-', '+']).unwrap_or(tag);
    let (word, mut rest) = bounds::next_word(inside)?;
    if word != "set" {
        return None;
    }
    while let Some((word, after)) = bounds::next_word(rest) {
        rest = after;
        if word == "=" {
            let from = tag.len() - after.len();
            let end = tag.strip_suffix(['-', '+']).unwrap_or(tag).len();
            return (from < end && !after.starts_with('=')).then_some((from, end));
        }
    }
    None
}

/// `{% generation %}…{% endgeneration %}` marks what the model wrote, for training. What stands
/// between is rendered as if the tags were not there; white space control at them still counts.
pub(super) fn without_generation_tags(template: &str) -> Cow<'_, str> {
    if !template.contains("generation") {
        return Cow::Borrowed(template);
    }
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = tag[2..].find("%}").map(|end| end + 2) else {
            rest = tag;
            break;
        };
        let inner = &tag[2..end];
        let name = inner.trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        match name {
            "generation" => out.push_str(&tag[..end + 2].replace(name, "if true")),
            "endgeneration" => out.push_str(&tag[..end + 2].replace(name, "endif")),
            _ => out.push_str(&tag[..end + 2]),
        }
        rest = &tag[end + 2..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::{with_bounded_values, without_generation_tags};

    #[test]
    fn an_opening_is_not_its_own_end() {
        assert_eq!(without_generation_tags("generation {%}"), "generation {%}");
    }

    #[test]
    fn assignments_are_bounded() {
        for (template, expected) in [
            ("{% set x = y %}", "{% set x = ( y )|_sidestage_bounded %}"),
            ("a{%- set n.x=1, '=' -%}b", "a{%- set n.x= (1, '=' )|_sidestage_bounded -%}b"),
            ("{% set x %}=y{% endset %}", "{% set x %}=y{% endset %}"),
            ("{{ set = 1 }}{# set x = 1 #}", "{{ set = 1 }}{# set x = 1 #}"),
        ] {
            assert_eq!(with_bounded_values(template), expected);
        }
    }

    #[test]
    fn only_the_tags_change() {
        let template =
            "{%- generation -%}\n{{ generation }}{% endgeneration %}{% if x %}{% endif %}";
        let expected = "{%- if true -%}\n{{ generation }}{% endif %}{% if x %}{% endif %}";
        assert_eq!(without_generation_tags(template), expected);
        assert_eq!(without_generation_tags("{% generation"), "{% generation");
    }
}
