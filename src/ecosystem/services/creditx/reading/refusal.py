"""Why a document is refused, as a value that can leave the sandbox."""

RULES: dict[str, str] = {
    "empty_file": "The file has no content. Send the document itself.",
    "truncated_file": "The file ends too early or is damaged. Export or scan it again and send the whole file.",
    "type_not_supported": "Only PDF, JPEG, PNG and TIFF can be read. Save the document as PDF.",
    "type_contradicts_name": "The name says another type than the content. Give the file the ending of its type.",
    "executable_refused": "The file is a program. Send a document.",
    "polyglot_refused": "The file is two types at once. Export the document again and send that file.",
    "encrypted_document": "The document is protected. Save it without password and restrictions, then send it again.",
    "javascript_refused": "The document contains a script. Print it to PDF, which drops scripts, and send that file.",
    "launch_refused": "The document would start a program. Print it to PDF, which drops that, and send that file.",
    "too_many_pages": "The document has too many pages. Split it.",
    "decompression_bomb": "The content unfolds to more than can be read. Export it again in an ordinary quality.",
    "animated_image": "The image moves. Send one still image for each page, or a PDF.",
    "too_complex": "To read the document takes more than it may. Print it to PDF and send that file.",
}


class Refused(Exception):
    """A rule of `RULES` is broken. `limits`: those that were passed, each a whole number by its name (`pages_max`)."""

    def __init__(self, rule: str, **limits: int) -> None:
        super().__init__(rule)
        self.rule, self.limits = rule, limits
