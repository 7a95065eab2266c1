"""
Letters that look like Latin ones and that compatibility normalisation leaves alone.

A choice made by hand for lower-case text: Cyrillic, Greek, Armenian, Cherokee, small capitals, and
the letter forms that are drawn in boxes and circles.
"""

# ruff: noqa: RUF001  (other alphabets are what this file is about)

from __future__ import annotations

_PAIRS = (
    # Cyrillic
    "аa вb сc ԁd еe ёe ғf ԍg һh нh іi їi јj кk ӏl мm пn оo рp ԛq гr ѕs тt цu ѵv ԝw хx уy ўy зz "
    "ѡw ҽe ԃd ոn ҡk ҝk қk ңh үy ұy ҳx әe "
    # Greek
    "αa βb ϲc δd εe ϝf ηn ιi κk λl μm νv οo ρp σo τt υu ωw χx γy ζz ϳj ϐb ϑo ϱp ςs "
    # Armenian, Cherokee and others
    "օo սu հh աw ցg զq լl ևu ꭰd ꭱr ꮩv ꮪs ꮃw ꮇm ꮋh ꮐg ꮯc ꮲp ꮮl ꭺa ꮤt ꮶk ꮓz ꭼe "
    # Small capitals, phonetic and other Latin forms
    "ᴀa ʙb ᴄc ᴅd ᴇe ꜰf ɢg ʜh ɪi ᴊj ᴋk ʟl ᴍm ɴn ᴏo ᴘp ꞯq ʀr ꜱs ᴛt ᴜu ᴠv ᴡw ʏy ᴢz "
    "ɑa ɐa ɓb ɔc ɖd ɗd ǝe əe ɛe ƒf ɡg ɠg ɦh ɨi ıi ɩi ʝj ƙk ɭl ɫl łl ɯm ɱm ɲn ɳn ŋn øo ɵo ƥp "
    "ʠq ɹr ɾr ʂs ʃs ƭt ŧt ʇt "
    "ʉu ʊu ʋv ʌv ʍw ʎy ʐz đd ħh ßs þp"
)
LOOK_ALIKES: dict[int, str] = {ord(pair[0]): pair[1] for pair in _PAIRS.split()}
"""For ``str.translate``."""

for _first in (0x1F150, 0x1F170, 0x1F1E6):
    LOOK_ALIKES |= {_first + i: chr(ord("a") + i) for i in range(26)}
