"""Limits of documents."""

from typing import ClassVar

from pydantic import Field

from ecosystem.kernel.settings import Settings


class ServiceSettings(Settings):
    section: ClassVar[str] = "creditx"

    upload_bytes_max: int = Field(default=100 << 20, ge=1024, le=100 << 20, description="Size of one document.")
    uploads_bytes_max: int = Field(
        default=512 << 20, ge=1 << 20, le=16 << 30, description="What uploads may hold in memory; one company half."
    )
    unfinished_max: int = Field(
        default=200, ge=1, le=100_000, description="Documents of one company on their way to an outcome; then 429."
    )
    upload_seconds_max: float = Field(default=300, ge=1, le=300, description="How long one upload may take.")
    pages_max: int = Field(default=500, ge=1, le=10_000, description="Pages of one document.")
    inflated_bytes_max: int = Field(
        default=512 << 20, ge=1 << 20, le=4 << 30, description="What the compressed parts of one document unfold to."
    )
    inspect_seconds_max: float = Field(default=10, gt=0, le=60, description="Time to inspect one document.")
    extract_seconds_max: float = Field(default=25, gt=0, le=300, description="Time to read one document.")
    read_ahead_pages_max: int = Field(
        default=10, ge=0, le=500, description="Pages of a document that is read while its upload is kept; 0: never."
    )
    ocr_engine: str = Field(
        default="auto", pattern=r"^(auto|rapidocr|tesseract)$",
        description="What reads pages that are pictures. auto: RapidOCR; tesseract: only where the machine has it.",
    )  # fmt: skip
    ocr_at_once_max: int = Field(
        default=2, ge=1, le=64, description="Batches of pages that one process reads at once; keep workers for others."
    )
    ocr_page_seconds_max: float = Field(default=28, gt=0, le=60, description="Time to read one page that is a picture.")
    ocr_memory_bytes_max: int = Field(
        default=1 << 30, ge=64 << 20, le=8 << 30, description="Memory to read a batch of pages, beside the document."
    )
    pictures_at_once_max: int = Field(default=2, ge=1, le=64, description="Pages that are drawn for viewers at once.")
    picture_seconds_max: float = Field(default=10, gt=0, le=60, description="Time to draw one page.")
    picture_bytes_max: int = Field(default=32 << 20, ge=1 << 20, le=256 << 20, description="Size of one drawn page.")
    terms_max: int = Field(default=500, ge=10, le=5000, description="Search terms of one document.")
    retention_days: int = Field(default=2555, ge=1, le=36_500, description="How long an original is kept.")
    wait_seconds_max: float = Field(
        default=20, ge=0, le=25, description="How long a caller may wait for an outcome (`Prefer: wait`)."
    )
    waiters_max: int = Field(default=500, ge=0, le=10_000, description="Callers that wait for an outcome at once.")
