"""How a request asks for studies: takes out courtesy and what restricts nothing, and rewords conditions.

"A handful of films with effusions, edema counts too" becomes "films with effusions or edema".
"""

from __future__ import annotations

from typing import Final

from mcp_cxr.language.query._shared_patterns import ANYONE, IS, LEAVE_OUT, PEOPLE, SEEN, SIDES, STUDIES, Rewordings

_IF_ANY = (
    rf",?\s*\bif (?:there {IS}|you (?:have|can|could|find|see)|we have|it exists|they exist|any exists?|possible"
    rf"|available|at all)\b(?:\s+(?:any|some|them|it|such|{STUDIES}))*"
)
"""Such as "if you have any"."""
_SEVERAL_STUDIES = (
    r"\b(?:an?\s+(?:few|handful of|number of|lot of)|several|some|many|multiple|various|numerous)\s+"
    rf"(?=(?:[a-z-]+\s+){{0,2}}(?:{STUDIES}|x-?rays?|radiographs?|cxrs?|reports?|examples?)\b)"
)
"""Such as "a handful of films"."""
_READ_AS = r"(?:interpreted|read|reported|called|described|labell?ed|signed off) as"
"""Before what a radiologist called a study: "reported as"."""
_CALLED_NORMAL = (
    r"(?:\b(?:that|which|who)\s+)?\b(?:call|consider|deem|declar|label|judg|describ)(?:e|s|es|ed|ing)?\s+"
    r"(?:(?:the|an?|this|it)\s+)*\b(?:(chests?|lungs|heart)|studies|study|films?|images?|x-?rays?)?\s*(?:as\s+)?"
    r"(?=(?:[a-z]+ly )?(?:normal|negative|unremarkable|clear)\b)"
)
"""Such as "that call the chest normal"."""
_ALONE = r"(?:alone|isolated|by itself|on (?:its|their|the) own)"
_ALLOWED = (
    r"(?:[,;.(]\s*(?:but\s+)?|\s+but\s+)(?:(?!\b(?:not|no)\b)[^,;.()])+?\s+(?:(?:is|are|would be)\s+)?"
    r"(?:fine|ok(?:ay)?|acceptable|allowed|tolerated|welcome|optional|irrelevant|(?:do|does) not matter"
    r"|not (?:required|needed|necessary|relevant|important|essential|mandatory|obligatory|an? (?:requirement|must"
    r"|problem))"
    r"|neither required nor (?:excluded|forbidden)|not an exclusion criterion|not a reason (?:for exclusion"
    r"|to exclude)"
    r"|no (?:problem|obstacle|requirement|exclusion criterion|reason (?:for exclusion|to exclude))|an? (?:bonus"
    r"|plus)|counts?(?=\s+(?:too|also|as well)))\b"
    r"(?:\s+(?:too|also|as well))?\s*\)?"
)
"""What may be there or not: "edema; a pacemaker is fine"."""
_NOT_ASKED = (
    r"[,;.]?\s*\b(?:(?:and|but|it)\s+)*(?:(?:do(?:es)? not|never) matter|(?:(?:i|we)\s+)?do not (?:care|mind)"
    r"|(?:is|are) (?:irrelevant|immaterial|of no importance))\s+(?:whether|if)\b[^,;.]*"
    r"|[,;.]?\s*\bwhether\b[^,;.]*?\s(?:is\s+(?:immaterial|irrelevant|unimportant|of no importance)|does not matter)\b"
    r"|[,;.]?\s*\b(?<!not )(?<!never )(?:(?:never|(?:i|we) do not) mind|forget|never you mind)\b[^,;.]*"
    r"|[,;(.]\s*(?:but\s+)?[^,;.()]+?\s+(?:(?:need|does|do)\s+not\s+(?:need\s+to\s+)?(?:be|have\s+to\s+be)"
    r"|(?:may|might|can) or (?:(?:may|might|can)\s+)?not be)\s+"
    r"(?:present|mentioned|reported|there|seen|stated|described|shown)\b"
)
"""The same with "whether" or "need not": "do not care whether there is edema", "mass, edema need not be present"."""
_ONLY_IF = (
    r",?\s*\b(?:but\s+)?(?:if and )?only (?:if|when|where)\b(?: (?:there (?:is|are)|they (?:also )?have|with)\b)?"
)
"""A condition: "but only if there is edema"."""
_ASKED_TO = (
    r"(?:\b(?:i|we)\s+)?\b(?:want|wish|would like|like|prefer|intend|(?:be|make) (?:sure|certain)|remember|try"
    rf"|important|essential)\s+(?:you\s+)?to\s+(?={LEAVE_OUT}\b)"
)
"""Before what is to be left out: "be sure to exclude"."""
_NORMAL = r"(?:normal|unremarkable|negative|clear|clean|healthy|wnl)"
_WHOLLY = (
    r"(?:through and through|from (?:top|start|head) to (?:bottom|finish|toe)|(?:in|on) (?:every|all|any) "
    r"(?:single )?(?:respects?|ways?|aspects?|counts?|regards?)|throughout|across the board"
    r"|without (?:any )?exception)"
)
"""That all of a study is meant: "normal in every respect"."""
_DETECTED = (
    rf"(?:\s+(?:(?:was|is|has been|could be) )?{SEEN})?"
    r"(?:\s+(?:on|in) (?:the|this) (?:film|image|x-?ray|radiograph|study|report|chest))?(?:\s+(?:at all|whatsoever))?"
)
"""What may follow a denial: "was seen on the film at all"."""
_NOTHING_ABNORMAL = (
    rf"(?:\b(?:chests?|{ANYONE}),?\s+(?:in which|where|on which|with|that show(?:ed)?)\s+)?"
    rf"(?:\b(?:that|which) )?(?:\b(?:found|find|saw|see|revealed|reveal|show(?:ed)?) )?"
    rf"\bnothing (?:abnormal|pathological|untoward|amiss|wrong)(?:\s+(?:at all|whatsoever))?{_DETECTED}"
    r"(?:[,:]?\s*(?:in |on )?(?:the )?heart and (?:the )?lungs\b)?"
    r"(?!\s+(?:but|except|other|apart|aside|besides|in|at|on|with)\b)"
)
"""A normal study: "chests in which nothing abnormal was found"."""
_WE_LACK = (
    r"^(?:we|i|(?:our|my|the|this) [\w -]{1,40}?) (?:lacks?|(?:is|are|am) (?:short of|missing|lacking)"
    r"|(?:do|does) not have(?: any| enough)?|ha(?:s|ve) (?:no|too few|hardly any))\s+([^,;.]+?)"
    r"(?:[,;.]\s*(?:so|therefore|please)\b,?|[;.])\s*"
    r"(?=(?:please )?(?:give|show|find|get|pull|list|return|search|retrieve)\b)"
)
"""What is wanted because there is too little of it: "our set lacks masses, so find some"."""
_NOT_MISSED = (
    rf"\b(?:(?:make|be) sure )?(?:that )?no (?:(?:pts?|{ANYONE}) (?:with|who have|showing) )?([^,;.]+?) "
    r"(?:should be|is|are|may be|must be|gets?|goes?) (?:missed|overlooked|forgotten)\b"
)
"""All of them: "no patient with edema should be missed"."""
_NO_MATTER = (
    r"[,;.]?\s*\b(?:(?:i|we) )?(?:do|does) not (?:care|worry|bother|mind) about (?:(?:any|the) )?[^,;.]+[,;.]?"
    r"|[,;.]?\s*\b(?:ignor(?:e|ing)|disregard(?:ing)?) (?:(?:any|all|the|support|medical|implanted) )*"
    r"(?:devices?|hardware|lines and tubes|lines|tubes|artifacts?)\b[,;.]?"
)
"""What may be there or not: "do not care about edema", "ignoring devices"."""
_NO_ABNORMALITY_OF = (
    r"\bno abnormalit(?:y|ies) (?:of|in) (?=[^;.]*\bheart\b)(?=[^;.]*\blungs?\b)"
    r"(?:(?:the|and|or|heart|lungs?|pleura|bones?|mediastinum|chest wall)\b[\s,]*)+"
)
"""A normal study by its parts: "no abnormality of heart, lungs or pleura"."""
_ALSO_COUNTED = (
    r"(?:[,;.(]\s*(?:but\s+)?|\s+but\s+)(?:(?:please\s+)?(?:count|include)\s+)?(?!ones?\b)"
    r"((?:(?!\bones?\b)[^,;.()])+?)\s+"
    r"(?:(?:also|too)\s+counts?|counts?\s+(?:too|also|as\s+(?:well|one|such)))\b\s*\)?"
)
"""Another finding that will do: "effusions, and edema counts too"."""
_IF_THEN_SKIP = (
    r"[,;.]?\s*\b(?:(?:and|but)\s+)?(?:if|when(?:ever)?|where)\s+"
    r"(?:(?:there (?:is|are)|it (?:also )?(?:has|shows)|they (?:also )?(?:have|show))\s+)?"
    r"(?:(?:also|any|an?)\s+)*([^,;.]+?)(?:\s+(?:is|are)(?: also)? (?:present|seen|there|reported|mentioned))?,?\s+"
    rf"(?:then\s+)?(?:please\s+)?(?:{LEAVE_OUT}|leave)"
    r"(?:\s+(?:it|them|the study|the case|that one|those))?(?:\s+out)?(?=\s*(?:$|[,;.]))"
)
"""What is left out as a condition: "if there is a pacemaker, skip it"."""
_LEAVING_OUT = (
    rf"(?:{LEAVE_OUT}|(?:exclud|omitt|skipp|dropp|discard|reject|remov|ignor|avoid)ing"
    r"|(?:do )?not(?: (?:show|give|list|return|include|bring)(?: (?:me|us))?)?)"
)
"""The same verbs in each form, and "do not show me"."""
_STUDIES_THAT = rf"(?:(?:the|any|all|those|{ANYONE}|mentions)\s+)*(?:(?:that|which|where|in which)\s+)?"
_DENIALS_SKIPPED = (
    rf"[,;.]?\s*\b(?:(?:and|but)\s+)?{_LEAVING_OUT}\s+"
    rf"{_STUDIES_THAT}(?:(?:merely|only|just|simply|explicitly)\s+)*"
    r"(?:(?:say|state|mention|report|note)s?\s+(?:that\s+)?(?:there\s+(?:is|are)\s+none"
    r"|(?:it|they)\s+(?:is|are)\s+(?:absent|not\s+(?:there|present|seen))|(?:its|the|their)\s+absence)"
    r"|den(?:y|ies|ying)\s+(?:it|them)"
    r"|(?:it\s+is|they\s+are)\s+(?:(?:merely|only|just)\s+)?(?:denied|negated|ruled\s+out)"
    r"|(?:merely|only|just)\s+(?:denied|negated|ruled\s+out)|denials|negations|negated\s+mentions)\b"
)
"""That studies which deny what is wanted are not: this holds for every request."""
_DENIAL_OF_SKIPPED = (
    rf"[,;.]?\s*\b(?:(?:and|but)\s+)?{_LEAVING_OUT}\s+{_STUDIES_THAT}"
    r"(?:den(?:y|ies|ying)|negat(?:e|es|ing)|refut(?:e|es|ing))\s+(?:(?:any|an?|the)\s+)?"
)
_DENIED_SKIPPED = (
    rf"[,;.]?\s*\b(?:(?:and|but)\s+)?{_LEAVING_OUT}\s+(?:(?:the|any|all|those|{ANYONE})\s+)*"
    rf"(?:where|when|if|in which)\s+([^,;.]+?)\s+(?:{IS}|has been|have been)\s+"
    r"(?:(?:merely|only|just|simply|explicitly)\s+)*(?:denied|negated|ruled out|absent)\b"
)
"""The same with what is denied: "skip reports that deny edema", "skip cases in which edema is denied"."""
_HISTORY_THEN = (
    r"\bhistory of ([^,;.]{1,80}?)\s+(?:(?:and\s+)?(?:who|that|which)\s+(?:(?:now|currently|today|also)\s+)*"
    r"(?:ha(?:s|ve)|shows?|developed)(?:\s+(?:now|currently))?"
    r"|(?:now\s+)?with(?!\s+(?:(?:an?\s+)?(?:\w+\s+)?history|or\b|and\b)|/))\s+"
)
"""Where what the image shows follows a history: "history of COPD with pneumonia"."""
_NOT_GONE = (
    r"\b(improv(?:ed|ing|ement)|better|smaller|less|decreas(?:ed|ing)|shrinking|shrunk|resolving|clearing)"
    r",?\s+(?:(?:and|but|though|although|yet)\s+)?(?:(?:has|have|is|are)\s+)?"
    r"(?:not|without)\s+(?:(?:yet|fully|completely|entirely|quite|totally|being|having)\s+)*"
    r"(?:resolv(?:ed|ing)|gone|clear(?:ed|ing)|disappear(?:ed|ing))\b"
)
"""What has improved: "better but not gone"."""
_THEN_SURE = (
    r"(?:,\s*(?:(?:and|but|with)\s+)?|\s+(?:and|but|with)\s+)(?=(?:an?\s+)?(?:definite|certain|confirmed|proven"
    r"|unequivocal|definitive|undoubted|undisputed)\s)"
)
"""Where a doubt ends: "possible effusion, definite edema"."""
_NOT_ENTIRELY = (
    r"(?:(?:that|which|is|are|was|were|looks?|appears?)\s+)*(?:not|no longer|anything but|never)"
    r"\s+(?:(?:to be|quite|completely|entirely|fully|all|perfectly)\s+)*"
)
"""Before what a structure should be: "is not entirely"."""
_CHANGED = (
    r"(?:better|worse|larger|smaller|bigger|(?:improv|worsen|increas|decreas|enlarg|progress|regress|resolv)(?:ed|ing)"
    r"|gr(?:ew|own|owing)|shr(?:ank|unk|inking))"
)
"""How a finding has changed: of "neither larger nor smaller"."""
_FINE = (
    r"\b(heart|lungs|mediastinum|bones|ribs|aorta|diaphragms?|hila|spine|trachea)\s+"
    r"(?:(?:is|are|looks?|appears?|seems?)\s+)+"
    r"(?:(?:to be|quite|perfectly|just|all)\s+)*(?:fine|ok(?:ay)?|good|al?right|healthy|right)"
    r"(?=\s*(?:$|[,;.)]|and\b|but\b))"
)
"""A structure that is normal in everyday words: "heart looks fine"."""
_INTERJECTION = (
    r"^\W*(?:no|nope|sorry|wait|actually)\b\s*(?:[,;.!\u2013-]+\s*(?:(?:sorry|wait|actually|rather)\s*,?\s*)?"
    r"(?=(?:i|we|not|only|just|show|find|give|the|this|that|instead|rather)\b)|(?=(?:i|we) (?:mean|meant|want\w*)\b))"
)
"""What answers a result before and denies nothing: "no, I meant", "sorry, only"."""
REQUEST_REWORDINGS: Final[Rewordings] = (
    (_INTERJECTION, ""),
    (_HISTORY_THEN, r"history of \1; with "),
    (_NOT_GONE, "improved"),
    (r"(?<=\w)\s+not new(?=\s*(?:$|[,;.)]))", " that is not new"),
    (_FINE, r"\1 normal"),
    (r"\b(heart|lungs|mediastinum|bones)\s+(?:fine|ok(?:ay)?)(?=\s*(?:$|[,;.)]|and\b|but\b))", r"\1 normal"),
    (
        rf"(?:\b(?:that|which|who)\s+)?(?:\b(?:is|are|has|have)\s+)?\bneither\s+{_CHANGED}\s+n?or\s+{_CHANGED}\b",
        "unchanged",
    ),
    (rf"\b(?:({SIDES}) lung|lungs|lung fields)\s+{_NOT_ENTIRELY}clear\b(?! of\b)", r"\1 opacity"),
    (rf"\bpleural (?:space|cavit(?:y|ie))s?\s+{_NOT_ENTIRELY}(?:clear|dry)\b", "effusion or pneumothorax"),
    (rf"\b(?:costophrenic|cp) angles?\s+{_NOT_ENTIRELY}(?:sharp|clear|crisp)\b", "blunted costophrenic angle"),
    (rf"\b(bone|rib)s\s+{_NOT_ENTIRELY}intact\b", r"\1 fracture"),
    (rf"\btrachea\s+{_NOT_ENTIRELY}(?:midline|central|straight|in the middle)\b", "deviated trachea"),
    (r"(^|[,;.]\s*|\b(?:and|or|with)\s+)not (?:yet )?(?:excluded|ruled[ -]out)\s+(?=[a-z])", r"\1possible "),
    (_THEN_SURE, "; with "),
    (_DENIALS_SKIPPED, ""),
    (_DENIAL_OF_SKIPPED, "; with "),
    (_DENIED_SKIPPED, r"; with \1"),
    (_IF_THEN_SKIP, r"; without \1; "),
    (r"\b(?:would|is) it (?:be )?possible (?:for you )?to\b|\bcould you possibly\b", "please"),
    (r"\b(?:could|can|may|might) (?:you|we|i)\b|\b(?:you|we|i) (?:could|can|may|might)\b(?!['\u2019])", "please"),
    (rf"(^|[,.;]\s*)({IS}) not there\b", r"\1\2 there"),
    (r"\b(do|does|did|have) not (you|we)\b", r"\1 \2"),
    (r",?\s*\byes or no\b", ""),
    (r"\b(?:do not|never)\s+(?:miss|overlook|forget)\b", ""),
    (_IF_ANY, ""),
    # what they are for
    (r",?\s*\bbecause (?!of\b)(?:(?!,\s*(?:with|without|and|but|no)\b)[^.;])*", ""),
    (r"\bquery\s+(?=(?:the|our|my|this)\s+(?:archive|database|collection|dataset|table|index|pacs)\b)", "search "),
    (
        r",?\s*\bsince (?=(?:my|our|his|her|their) \w+ (?:keeps?|always|often|are|is|wants?|needs?|likes?)\b)[^.;]*",
        "",
    ),
    (r"^query for [\w -]{1,40}?\s*(?::|\s[\u2013-])\s+", ""),
    # which studies
    (rf"\b({_NORMAL}),?\s+{_WHOLLY}\b", r"\1"),
    (r"(?-i:\bNAD\b)\s*(?:[:,(=-]+\s*(?=nothing\b))", ""),
    (_NOTHING_ABNORMAL, "normal"),
    (rf"\b(?:not one|(?:not|without|no) (?:a|one|any)? ?single) abnormality{_DETECTED}", "no abnormality"),
    (_CALLED_NORMAL, r" \1 "),
    (rf"\b(?:{_READ_AS})\s+(?=(?:entirely |completely |totally )?(?:normal|negative|limited|suboptimal|poor)\b)", ""),
    (_NO_ABNORMALITY_OF, "no abnormality "),
    (r"\b(?:hedged|tentative) (?:statements?|mentions?|reports?|remarks?) (?:about|of|on)\b", "possible"),
    (_WE_LACK, r"\1. "),
    (r"^(?:with )?nothing (?:is )?(?:excluded|left out|ruled out)\s*[:;,]", ""),
    (_NOT_MISSED, r"\1"),
    (_NO_MATTER, ""),
    (r"(\b(?:and|but) )?\bineligible if they (?:have|show)\b", "; without"),
    (r"\b(?:are )?eligible if they (?:have|show)\b", "with"),
    (r"\b(?:not eligible|ineligible|unsuitable)\s*:", "; without"),
    (r"\bno (?:obvious |clear |apparent )?(?:cause|reason|explanation) for (?:the )?", "with "),
    (r",?\s*\b(?:on )?(?:one|either) (?:side )?or (?:on )?both(?: sides)?\b", ""),
    (_SEVERAL_STUDIES, ""),
    (rf"\bsimilar\s+(?=(?:{STUDIES}|to)\b)", ""),  # studies that are alike, not findings that stay the same
    (r"\bno (?:evidence|signs?|suggestion) of anything acute\b", "nothing acute"),
    (r"[.;,]\s*(?:it|they|these|this|those)\s+(?:should|must|needs? to|ha(?:s|ve) to|ought to)\s+be\s+", " that is "),
    (_ONLY_IF, "; with"),
    (r",?\s*\b(?:provided(?: that)?|as long as|on condition that)\b", ","),
    (rf"\b(?:but\s+)?not\s+(?:in|among|for)\s+(?=(?:[\w-]+\s+)?(?:{PEOPLE})\b)", "without "),
    (rf"(?<!save)\s+(?:in|among|for)\s+(?=(?:[\w-]+\s+)?(?:{PEOPLE})\b)", "; with "),  # no denial holds for them
    # what restricts nothing
    (r",?\s*\b(?:old or new|new or old)\b", ""),
    (rf",?\s*\b{_ALONE} or (?:(?:together|combined|in combination) )?with\b", " with or without"),
    (r"^[^,;.]+?\s+(?:(?:is|are)\s+)?optional\s*[,;.]\s*(?:but\s+)?", ""),
    (rf"^whether or not (?:(?:there|they|it) (?:{IS}|ha(?:s|ve)|shows?) )?[^,;.]+,\s*", ""),
    (r",\s*(?:whatever|whichever)(?=\s*(?:$|[,;.)]))", ""),
    (_NOT_ASKED, ""),
    (_ASKED_TO, ""),
    (_ALSO_COUNTED, r" or \1"),
    (_ALLOWED, ""),
    (r"\b(?:any|every)where (?:but|except(?: for)?|other than) (?:(?:in|at|on) )?(?:the )?", ", not in the "),
    (r"\banywhere\b(?: (?:in|on) (?:the|an?) (?:chest|thorax|lungs?|image|film|radiograph))?", ""),
    (r",?\s*\(?\b(?:whether\s+)?[\w-]+\s+or\s+not\b\s*\)?(?=\s*(?:$|[,.;)]|and\b|but\b|with\b))", ""),
    (r"\(?\b(?:no matter|regardless of|irrespective of)\s+(?:the |which |what |how )?[\w-]+\b( side)?\)?", ""),
    (r",\s*which (?:might|may|could|can|would) (?:indicate|suggest|represent|reflect|mean)\b[^,;.]*", ""),
)
"""How studies are asked for: courtesy, purpose, number, and what restricts nothing."""
