"""What people type into a registry: names, titles and promises, tidy and untidy."""

from __future__ import annotations

SYSTEMS = (
    ("Library catalogue", "bibliographic number", "https://catalogue.example.org/record/"),
    ("Finding aids", "EAD id", "https://findingaids.example.org/"),
    ("Digitisation workflow", "job number", "https://scans.example.org/jobs/"),
    ("Médiathèque d’Orléans", "cote", "https://mediatheque.example.net/notice/"),
    ("古籍目錄", "索書號", ""),
)

POLICIES = (
    ("Comments & annotations", "The address stays; what it shows may change."),
    ("Permanent", 'Kept "as is".\nIt is never deleted; see §4 of the charter.'),
    ("Permanent, may be corrected", "Errata are added.\r\n\r\n\t* typing errors\r\n\t* metadata"),
    ("For the length of a loan", "Kept while the lender's agreement lasts; it's reviewed yearly."),
    ("Not yet decided", ""),
    ("Œuvres sous droits", "Accès réservé jusqu’à l’entrée dans le domaine public — 70 ans."),
)

PROXIES = (
    ("Campus gateway", "https://proxy.example.org/login?url={url}"),
    ("Hospital library", "https://med.example.org/connect?qurl={url}&campus=1"),
    ("Reading room only", "https://onsite.example.org/{url}"),
)

GROUPS = ("Registrars", "Curators", "Cataloguers", "Link checkers", "Readers", "Øvrige brugere")

FIRST_NAMES = (
    "Ada", "Bashir", "Chiara", "Dmitri", "Eilidh", "Fatou", "Grete", "Hiroshi", "Inés", "Jürgen",
    "Kwame", "Łucja", "Mairéad", "Nguyễn", "Oluwaseun", "Priya", "Quentin", "Renée", "Søren",
    "Tove",
)  # fmt: skip
LAST_NAMES = (
    "Abara", "Brontë", "Çelik", "D'Angelo", "Eriksson", "Fernández", "Grünwald", "Hofmann", "Ito",
    "Jovanović", "Kowalska", "L'Estrange", "Müller", "Nakamura", "O'Brien", "Petrov", "Quiñones",
    "Rasmussen", "Šimek", "Tanaka", "Ünal", "van der Berg", "Wójcik", "Yılmaz", "Zhang",
)  # fmt: skip

PLACES = (
    "Africana", "Archives", "Botany", "Chemistry", "Divinity", "Egyptology", "Film", "Geography",
    "History", "Incunabula", "Jazz", "Kartographie", "Law", "Maps", "Numismatics", "Oral History",
    "Papyri", "Quartets", "Rare Books", "Südosteuropa", "Theses", "Urban Studies", "Virology",
    "Women’s Studies", "Xylography", "Yiddish Theatre", "Zoologie", "Études slaves",
)  # fmt: skip
PARTS = ("Collection", "Working Group", "Images", "Teaching Files", "Annex", "Reprints")

ADJECTIVES = (
    "Annotated", "Brief", "Collected", "Early", "Facsimile of a", "General", "Illustrated", "Lost",
    "Manuscript", "New", "Original", "Private", "Revised", "Second", "Unpublished", "Vernacular",
)  # fmt: skip
NOUNS = (
    "atlas", "ballads", "catalogue", "diary", "essays", "folio", "grammar", "herbarium", "hymnal",
    "journal", "ledger", "letters", "memoirs", "notebook", "oration", "photographs", "psalter",
    "report", "sermons", "survey", "thesis", "travels", "treatise", "yearbook",
)  # fmt: skip
SUBJECTS = (
    "bees", "the Black Sea", "comets", "drainage", "early printing", "fevers", "glass", "harbours",
    "iron", "justice", "kinship", "lenses", "mosses", "navigation", "opera", "the poor law",
    "quarantine", "rivers", "salt", "tides", "usury", "volcanoes", "weights & measures", "yeast",
)  # fmt: skip

# Titles as they really arrive: pasted from word processors, scanned, typed in a hurry.
UNTIDY = (
    'The "so-called" Codex',
    "L'été à Besançon",
    "Война и мир, т. 1",
    "紅樓夢",
    "مقدمة ابن خلدون",
    "Weather diary ☔️ 1911–1914",
    "📚 Box 7 👩🏽‍🔬",
    "two  blanks,\ta tab",
    "first line\nsecond line",
    "carriage\r\nreturn",
    "C:\\scans\\new\\table.tif",
    "\\N",
    "backslash at the end\\",
    "100% cotton; 5 < 6 && 'x' = `x`",
    "Cafe\u0301 (decomposed)",
    "page\x0bbreak\x0cmarks",
    "no-break\u00a0space, zero\u200bwidth",
    "ends in a blank ",
    "ends in a newline\n",
    "NULL",
    "",
)

QUALIFIERS = ("PDF", "TEXT", "METS", "COVER", "THUMB", "AUDIO")
LANGUAGES = ("en", "fr", "de", "zh", "ar", "cy")
CHANGES = (
    '[{"added": {}}]',
    '[{"changed": {"fields": ["Name"]}}]',
    '[{"changed": {"fields": ["Name", "Domain", "Policy"]}}]',
    '[{"changed": {"name": "target", "object": "old \\"address\\"", "fields": ["Address"]}}]',
    "Updated target uri through the API.",
    "Modifié : adresse, politique.",
    "",
)
