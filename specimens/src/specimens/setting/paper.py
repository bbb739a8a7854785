"""A draft on A4: letterhead, address window, title, cells, table, closing, footers, annexes, payment slip."""

import random
from dataclasses import dataclass

from reportlab.lib.pagesizes import A4

from specimens import texts
from specimens.draft import Draft, Letterhead
from specimens.model import Place
from specimens.setting import cells, slip, tables
from specimens.setting.cells import Flow
from specimens.setting.codes import draw_qr
from specimens.setting.pen import BLACK, GREY, PLAIN, WHITE, Pen, Traits, width_of
from specimens.setting.style import Banner, Style

_WIDTH, _HEIGHT = A4
_FOOT = 76.0
_PAGE_TOP = 70.0
_QR_SIDE = 78.0
_AFTER_LETTERHEAD = 118.0


@dataclass(frozen=True)
class Pages:
    """A PDF with what is known about it; sizes of pages and boxes are points, as shown."""

    pdf: bytes
    sizes: tuple[tuple[float, float], ...]
    places: dict[str, Place]
    table_page: int = 1


def set_paper(draft: Draft, style: Style, language: str, rng: random.Random, traits: Traits = PLAIN) -> Pages:
    """Set twice: the first time tells how many pages there are, which every footer says."""
    seed = rng.random()
    pages = _Paper(draft, style, language, seed, 0, PLAIN).draw().page
    paper = _Paper(draft, style, language, seed, pages, traits)
    pen = paper.draw()
    return Pages(pen.finish(), ((_WIDTH, _HEIGHT),) * pages, pen.places, paper.table_page)


class _Paper:
    def __init__(self, draft: Draft, style: Style, language: str, seed: float, pages: int, traits: Traits) -> None:
        self._draft, self._style, self._pages = draft, style, pages
        self._words, self._rng = texts.words(language), random.Random(seed)  # noqa: S311 a seed is wanted
        self._pen = Pen(_WIDTH, _HEIGHT, draft.title, traits)
        self.table_page = 1
        self._lost = 0

    def draw(self) -> Pen:
        draft, style = self._draft, self._style
        self._letterhead(draft.letterhead)
        flow = Flow(self._pen, style, _AFTER_LETTERHEAD, _HEIGHT - _FOOT, self._turn)
        for number, (label, text) in enumerate(draft.letterhead.reference):
            y = _AFTER_LETTERHEAD + 14 + number * style.size * 1.3
            self._pen.text(style.right - 165, y, label, style.fonts.plain, style.size - 1.5, GREY)
            self._pen.text(style.right, y, text, style.fonts.plain, style.size - 1.5, right=True)
        if draft.recipient or draft.letterhead.reference:
            flow.down(14)
            for line in draft.recipient:
                self._pen.text(style.left, flow.y, line, style.fonts.plain, style.size)
                flow.down(style.size * 1.35)
            flow.down(style.size * (1.5 + max(0, len(draft.letterhead.reference) - len(draft.recipient)) * 1.3))
        flow.down(20)
        self._pen.text(style.left, flow.y, draft.title, style.heading.bold, style.size + 6, style.colour)
        flow.down(style.leading * 1.4)
        if draft.opening:
            flow.paragraph(draft.opening)
            flow.down(style.leading)
        self._body(flow)
        if draft.slip:
            self._slip(flow)
        else:
            self._footer()
        for number in range(draft.annex_pages):
            if number < draft.lost_pages:
                self._lost += 1
            else:
                self._annex(number)
        return self._pen

    def _body(self, flow: Flow) -> None:
        draft, style = self._draft, self._style
        cells.draw(flow, draft.cells)
        if draft.table:
            flow.down(style.leading)
            self.table_page = self._pen.page
            tables.draw(flow, draft.table)
        if draft.summary:
            flow.down(style.leading)
            cells.draw(flow, draft.summary)
        if draft.closing:
            flow.down(style.leading * 0.8)
            flow.paragraph(draft.closing, size=style.size - 1)
        if draft.code:
            flow.down(style.leading)
            flow.room(_QR_SIDE + 10)
            draw_qr(self._pen, draft.code[0], style.left, flow.y, _QR_SIDE)
            self._pen.text(style.left + _QR_SIDE + 12, flow.y + 20, draft.code[1], style.fonts.plain, style.size - 1)
            flow.down(_QR_SIDE + 10)
        if draft.signed_by:
            self._signature(flow, draft.signed_by)

    def _letterhead(self, head: Letterhead) -> None:
        pen, style = self._pen, self._style
        font, size = style.heading.bold, style.size + 5
        if style.banner is Banner.BAR:
            pen.box(0, 0, _WIDTH, 46, fill=style.colour)
            pen.text(style.left, 29, head.name, font, size, WHITE)
            pen.text(style.left, 66, " · ".join(head.lines), style.fonts.plain, style.size - 2.5, GREY)
            return
        x = style.left
        if style.banner is Banner.LEFT:
            self._logo(style.left, 34)
            x += 40
        if style.banner is Banner.CENTRE:
            pen.text(
                _WIDTH / 2 + width_of(head.name, font, size) / 2, 52, head.name, font, size, style.colour, right=True
            )
            line = " · ".join(head.lines)
            width = width_of(line, style.fonts.plain, style.size - 2)
            pen.text(_WIDTH / 2 - width / 2, 68, line, style.fonts.plain, style.size - 2, GREY)
            pen.line(style.left, 78, style.right, 78, style.colour, 0.8)
            return
        right = style.banner is Banner.RIGHT
        if right:
            self._logo(style.left, 30)
        pen.text(style.right if right else x, 44, head.name, font, size, style.colour, right=right)
        for number, line in enumerate(head.lines):
            y = 58 + number * (style.size - 1) * 1.2
            pen.text(style.right if right else x, y, line, style.fonts.plain, style.size - 1.5, GREY, right=right)

    def _logo(self, x: float, y: float) -> None:
        """A mark of simple shapes, as houses have them."""
        pen, style, canvas = self._pen, self._style, self._pen.canvas
        canvas.setFillColor(style.colour)
        flip = _HEIGHT - y
        match style.logo:
            case 0:
                canvas.circle(x + 15, flip - 15, 14, stroke=0, fill=1)
                canvas.setFillColor(WHITE)
                canvas.circle(x + 20, flip - 12, 9, stroke=0, fill=1)
            case 1:
                pen.box(x, y, 13, 13, fill=style.colour)
                pen.box(x + 16, y, 13, 13, fill=style.tint)
                pen.box(x, y + 16, 13, 13, fill=style.tint)
                pen.box(x + 16, y + 16, 13, 13, fill=style.colour)
            case 2:
                path = canvas.beginPath()
                path.moveTo(x, flip - 29)
                path.lineTo(x + 15, flip)
                path.lineTo(x + 30, flip - 29)
                path.close()
                canvas.drawPath(path, stroke=0, fill=1)
            case 3:
                for number in range(4):
                    pen.box(x + 8 * number, y + 22 - 7 * number, 5, 8 + 7 * number, fill=style.colour)
            case _:
                canvas.setStrokeColor(style.colour)
                canvas.setLineWidth(3)
                for radius in (5, 10, 15):
                    canvas.circle(x + 15, flip - 15, radius, stroke=1, fill=0)

    def _footer(self, y: float = _HEIGHT - 40) -> None:
        pen, style, size = self._pen, self._style, 7.0
        for line in self._draft.letterhead.footer:
            pen.text(style.left, y, line, style.fonts.plain, size, GREY)
        if self._pages + self._draft.lost_pages > 1 or style.page_words % 2:
            forms = self._words["page"]
            text = str(forms[style.page_words % len(forms)]).format(
                page=pen.page + self._lost, pages=self._pages + self._draft.lost_pages
            )
            pen.text(style.right, y, text, style.fonts.plain, size + 0.5, GREY, right=True)

    def _turn(self) -> float:
        self._footer()
        self._pen.next_page()
        return _PAGE_TOP

    def _signature(self, flow: Flow, name: str) -> None:
        """A stroke of the hand over a line, with what the line is for."""
        style, pen, rng = self._style, self._pen, self._rng
        flow.down(style.leading * 2.2)
        flow.room(style.leading * 2)
        x, y = style.left + 6, _HEIGHT - flow.y + 6
        path = pen.canvas.beginPath()
        path.moveTo(x, y)
        for _ in range(5 + len(name) // 4):
            tops = [rng.uniform(-6, 20) for _ in range(3)]
            path.curveTo(x + 4, y + tops[0], x + rng.uniform(2, 12), y + tops[1], x + 14, y + tops[2] * 0.4)
            x += rng.uniform(8, 14)
        pen.canvas.setStrokeColor(style.colour)
        pen.canvas.setLineWidth(1.1)
        pen.canvas.drawPath(path, stroke=1, fill=0)
        pen.line(style.left, flow.y, style.left + 190, flow.y, GREY)
        pen.text(style.left, flow.y + 10, rng.choice(self._words["signed"]), style.fonts.plain, style.size - 2, GREY)
        flow.down(style.leading)

    def _slip(self, flow: Flow) -> None:
        """At the foot of a page, of one of its own where the invoice reaches down to it."""
        assert self._draft.slip is not None
        top = _HEIGHT - slip.HEIGHT
        if flow.y > top - 24:
            self._turn()
        self._footer(top - 8)
        slip.draw(self._pen, self._draft.slip, self._words["qr_bill"])

    def _annex(self, number: int) -> None:
        self._pen.next_page()
        flow = Flow(self._pen, self._style, _PAGE_TOP, _HEIGHT - _FOOT, self._turn)
        style, annex = self._style, self._words["annex"]
        self._pen.text(
            style.left, flow.y, f"{annex['title']} ({number + 1})", style.heading.bold, style.size + 3, BLACK
        )
        flow.down(style.leading * 2)
        for count, paragraph in enumerate(annex["paragraphs"], 1):
            flow.paragraph(f"{number + 1}.{count} {paragraph}", size=style.size)
            flow.down(style.leading * 0.7)
        self._footer()
