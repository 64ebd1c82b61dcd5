"""What the words of a query ask for beside findings: views, ids, a number of results, sex and age."""

from __future__ import annotations

import pytest

from mcp_cxr.language.query import TextFilters, read_text_filters

UID = "1.2.840.113619.2.5.1762583153"
HEX = "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("PA view with cardiomegaly", TextFilters("with cardiomegaly", ("PA",))),
        ("AP chest with pneumothorax", TextFilters("with pneumothorax", ("AP",))),
        ("lateral views with effusion", TextFilters("with effusion", ("LATERAL",))),
        ("PA pneumothorax", TextFilters("pneumothorax", ("PA",))),
        ("PA and lateral films of edema", TextFilters("of edema", ("PA", "LATERAL"))),
        ("effusion, lateral", TextFilters("effusion,", ("LATERAL",))),
        ("frontal radiograph", TextFilters("", ("FRONTAL",))),
        ("find 5 studies with pneumonia", TextFilters("studies with pneumonia", limit=5)),
        ("show me ten effusions", TextFilters("effusions", limit=10)),
        ('{"finding": "edema", "limit": 5}', TextFilters("{finding: edema, }", limit=5)),
        ("edema, min_age: 70, max_age=80", TextFilters("edema, ,", age_from=70, age_to=80)),
        ("Need 8 PA films of edema", TextFilters("of edema", ("PA",), limit=8)),
        ("the three most recent edemas", TextFilters("edemas", limit=3, unread_dates=("most recent",))),
        ("edema around New Year 2015", TextFilters("edema", unread_dates=("around New Year 2015",))),
        ("men over 60 or women over 70", TextFilters("or", age_from=60, not_applied=("over 60 or women over 70",))),
        ("under 18 or over 65", TextFilters("or", not_applied=("under 18 or over 65",))),
        ("children or the elderly", TextFilters("or the", not_applied=("children or elderly",))),
        (
            "PA films with edema or AP films with a mass",
            TextFilters("with edema or with a mass", ("PA", "AP"), not_applied=("PA films with edema or AP films",)),
        ),
        ("ratio above 50%", TextFilters("ratio above 50%")),
        ("exclude lactating women, edema", TextFilters(", edema", not_applied=("exclude lactating women",))),
        ("masses, not in diabetic men", TextFilters("masses,", not_applied=("not in diabetic men",))),
        ("young women are left out; edema", TextFilters("; edema", not_applied=("exclude young women",))),
        ("edema, no men who smoke", TextFilters("edema,", not_applied=("no men who smoke",))),
        ("no effusion women", TextFilters("no effusion", sex="F")),
        ("excluding 2015, edema", TextFilters(", edema", unread_dates=("excluding 2015",))),
        ("edema, not 2015", TextFilters("edema,", unread_dates=("not 2015",))),
        (
            "not earlier than March 2014 nor later than May 2014",
            TextFilters("", date_from="2014-03-01", date_to="2014-05-31"),
        ),
        (
            "exclude: women, under 40s, AP. include: edema",
            TextFilters(", , . include: edema", ("PA", "LATERAL", "OTHER"), sex="M", age_from=40),
        ),
        ("patient 10000032's edema", TextFilters("edema", subject_id="10000032")),
        ("mass or patients over 60", TextFilters("mass or patients", not_applied=("or patients over 60",))),
        (
            "(mass AND PA) OR (edema AND AP)",
            TextFilters("(mass AND ) OR (edema AND )", ("PA", "AP"), not_applied=("PA) OR (edema AND AP",)),
        ),
        ("top 3 pneumonia", TextFilters("pneumonia", limit=3)),
        ("show 500 effusions", TextFilters("effusions", limit=100)),
        ("women over 60 with cardiomegaly", TextFilters("with cardiomegaly", sex="F", age_from=60)),
        ("men under 40", TextFilters("", sex="M", age_to=39)),
        ("patients aged 40 to 50", TextFilters("patients", age_from=40, age_to=50)),
        ("70 year old man with edema", TextFilters("with edema", sex="M", age_from=70, age_to=70)),
        ("65F with edema", TextFilters("with edema", sex="F", age_from=65, age_to=65)),
        ("72 yo m, edema", TextFilters(", edema", sex="M", age_from=72, age_to=72)),
        ("females 70 or older", TextFilters("", sex="F", age_from=70)),
        ("patients > 60", TextFilters("", age_from=61)),
        ("pts <= 60", TextFilters("", age_to=60)),
        ("men > 50", TextFilters("", sex="M", age_from=51)),
        ("(>= 18 years)", TextFilters("( )", age_from=18)),
        ("sex:F age:50-70", TextFilters("", sex="F", age_from=50, age_to=70)),
        ("between the ages of thirty and forty-five", TextFilters("", age_from=30, age_to=45)),
        ("M 45, edema", TextFilters(", edema", sex="M", age_from=45, age_to=45)),
        ("2+ rib fractures", TextFilters("2+ rib fractures")),
        ("70s M COPD", TextFilters("COPD", sex="M", age_from=70, age_to=79)),
        ("edema, not men", TextFilters("edema,", sex="F")),
        ("excluding children, edema", TextFilters(", edema", age_from=18)),
        ("not older than 50", TextFilters("", age_to=50)),
        # what is left out as a heading, as a clause, or as a list
        ("exclusion: men. inclusion: edema", TextFilters(". inclusion: edema", sex="F")),
        ("omitted: males, inclusion: edema", TextFilters(", inclusion: edema", sex="F")),
        ("edema. Exclusion criteria: female sex", TextFilters("edema.", sex="M")),
        ("exclude: age < 21; edema", TextFilters("; edema", age_from=21)),
        ("edema. Exceptions: AP films", TextFilters("edema.", ("PA", "LATERAL", "OTHER"))),
        ("edema; AP films are excluded", TextFilters("edema;", ("PA", "LATERAL", "OTHER"))),
        ("edema (men excluded)", TextFilters("edema ( )", sex="F")),
        ("edema, men are not wanted", TextFilters("edema,", sex="F")),
        ("patients over 80 must be omitted; edema", TextFilters("; edema", age_to=80)),
        (
            "edema in adults; teenagers are left out",
            TextFilters("edema in ;", age_from=18, not_applied=("not teenagers",)),
        ),
        ("men and children are not wanted, edema", TextFilters(", , edema", sex="F", age_from=18)),
        ("leaving out men and anyone under 30: edema", TextFilters(", : edema", sex="F", age_from=30)),
        ("exclude under 30 and over 70, edema", TextFilters(", , edema", age_from=30, age_to=70)),
        ("no men or effusion", TextFilters(", exclude effusion", sex="F")),
        ("edema; studies since 2015 excluded", TextFilters("edema;", unread_dates=("exclude studies since 2015",))),
        ("excluded are men; edema", TextFilters("; edema", sex="F")),
        ("excluding men over 60, edema", TextFilters(", edema", not_applied=("excluding men over 60",))),
        ("edema; men over 60 are excluded", TextFilters("edema;", not_applied=("exclude men over 60",))),
        ("maximum of two results", TextFilters("", limit=2)),
        ("everyone but men: edema", TextFilters(": edema", sex="F")),
        ("edema, nobody under 50", TextFilters("edema,", age_from=50)),
        ("exclusion: mass. inclusion: edema", TextFilters("exclusion: mass. inclusion: edema")),
        ("men with a mass excluded", TextFilters("with a mass excluded", sex="M")),
        ("not in the elderly", TextFilters("", age_to=64)),
        ("excluding teenagers", TextFilters("", not_applied=("not teenagers",))),
        ("adults under 30", TextFilters("", age_from=18, age_to=29)),
        ("woman of 30", TextFilters("", sex="F", age_from=30, age_to=30)),
        ("octogenarians", TextFilters("", age_from=80, age_to=89)),
        ("paediatric edema", TextFilters("edema", age_to=17)),
        ("man in his 50s", TextFilters("", sex="M", age_from=50, age_to=59)),
        ("elderly patients", TextFilters("patients", age_from=65)),
        ("older women", TextFilters("", sex="F", age_from=65)),
        ("80+ year olds", TextFilters("", age_from=80)),
        ("20 to 30 year old males", TextFilters("", sex="M", age_from=20, age_to=30)),
        ("first five AP images", TextFilters("", ("AP",), limit=5)),
        ("between 01/2019 and 12/2019", TextFilters("", date_from="2019-01-01", date_to="2019-12-31")),
        ("in 2017 or 2018", TextFilters("", date_from="2017-01-01", date_to="2018-12-31")),
        ("under-18s", TextFilters("", age_to=17)),
        ("middle-aged men", TextFilters("", sex="M", not_applied=("middle-aged",))),
        ("edema, not AP", TextFilters("edema,", ("PA", "LATERAL", "OTHER"))),
        ("edema, no laterals", TextFilters("edema,", ("PA", "AP", "OTHER"))),
        ("PA but not lateral", TextFilters("", ("PA",))),
        ("PA/lat, edema", TextFilters(", edema", ("PA", "LATERAL"))),
        ("edema w/o lateral films", TextFilters("edema", ("PA", "AP", "OTHER"))),
        ("no lat, edema", TextFilters(", edema", ("PA", "AP", "OTHER"))),
        ("edema not due to AP projection", TextFilters("edema", ("PA", "LATERAL", "OTHER"))),
        ("edema AND NOT view:AP", TextFilters("edema", ("PA", "LATERAL", "OTHER"))),
        ("exclude lateral films, edema", TextFilters(", edema", ("PA", "AP", "OTHER"))),
        ("edema, not portable or supine", TextFilters("edema,", not_applied=("not portable or supine",))),
        ("non-portable films", TextFilters("", not_applied=("non-portable",))),
        ("4 AP films of scoliosis in women", TextFilters("of scoliosis in", ("AP",), limit=4, sex="F")),
        ("six lateral views of edema", TextFilters("of edema", ("LATERAL",), limit=6)),
        ("7 PA nodules", TextFilters("nodules", ("PA",), limit=7)),
        ("3 lateral rib fractures", TextFilters("3 lateral rib fractures")),
        ("limited to three nodules", TextFilters("limited to three nodules")),
        ("limited to three cases", TextFilters("cases", limit=3)),
        ("a dozen effusions", TextFilters("effusions", limit=12)),
        ("one example of edema", TextFilters("of edema", limit=1)),
        ("top-3 edema", TextFilters("edema", limit=3)),
        ("a couple of cases of edema", TextFilters("cases of edema", limit=2)),
        ("10 patients with edema", TextFilters("patients with edema", limit=10)),
        ("up to ten nodules", TextFilters("nodules", limit=10)),
        (
            "12 normal and 8 abnormal films",
            TextFilters("; normal or abnormal films", limit=20, not_applied=("12 normal and 8 abnormal films",)),
        ),
        (
            "find 10 masses and 10 effusions",
            TextFilters("; find masses or effusions", limit=20, not_applied=("10 masses and 10 effusions",)),
        ),
        ("find 6 studies with 2 masses and 3 tubes", TextFilters("studies with 2 masses and 3 tubes", limit=6)),
        ("just one: edema", TextFilters(": edema", limit=1)),
        ("show 2000 effusions", TextFilters("effusions", limit=100)),
        ("in 2012 or 2014", TextFilters("", unread_dates=("2012 or 2014",))),
        ("2013, 2014 and 2015", TextFilters("", date_from="2013-01-01", date_to="2015-12-31")),
        ("before 2010 or after 2015", TextFilters("or", unread_dates=("before 2010", "after 2015"))),
        ("post-2015", TextFilters("", date_from="2016-01-01")),
        ("pre 2012", TextFilters("", date_to="2011-12-31")),
        ("the year 2013", TextFilters("", date_from="2013-01-01", date_to="2013-12-31")),
        ("s50414267, s50414268", TextFilters(",", study_id="s50414267", other_ids=("s50414268",))),
        ("edema, at most four", TextFilters("edema,", limit=4)),
        ("exclude patient p10000033", TextFilters("", not_applied=("exclude patient p10000033",))),
        ("p10000032 not p10000033", TextFilters("", subject_id="p10000032", not_applied=("not p10000033",))),
        ("dated 2014 to 2016", TextFilters("", date_from="2014-01-01", date_to="2016-12-31")),
        ("date:2014..2016", TextFilters("", date_from="2014-01-01", date_to="2016-12-31")),
        ("date >= 2015", TextFilters("", date_from="2015-01-01")),
        ("year:2014", TextFilters("", date_from="2014-01-01", date_to="2014-12-31")),
        ("edema before and after 2016", TextFilters("edema", unread_dates=("before and after 2016",))),
        ("masses, since or before 03/2014", TextFilters("masses,", unread_dates=("since or before 03/2014",))),
        ("after 2012 and before 2016", TextFilters("and", date_from="2013-01-01", date_to="2015-12-31")),
        ("on 5/12", TextFilters("", unread_dates=("5/12",))),
        ("70 year old patients with edema", TextFilters("patients with edema", age_from=70, age_to=70)),
        ("five-year-old boy", TextFilters("", sex="M", age_from=5, age_to=5)),
        ("20 men with edema", TextFilters("with edema", sex="M", limit=20)),
        ("12-Mar-2015", TextFilters("", date_from="2015-03-12", date_to="2015-03-12")),
        ("from the 1990s", TextFilters("", date_from="1990-01-01", date_to="1999-12-31")),
        ("edema decreased 2018", TextFilters("edema decreased", unread_dates=("2018",))),
        ("edema, study 50414267", TextFilters("edema,", study_id="50414267")),
        ("study 50414267, s50414267", TextFilters(",", study_id="50414267")),
        ("patient 10000032 with edema", TextFilters("with edema", subject_id="10000032")),
        (f"files/p10/p10000032/{HEX}.dcm", TextFilters("/", subject_id="p10000032", image_id=HEX)),
        ("female, 55-65, edema", TextFilters(", edema", sex="F", age_from=55, age_to=65)),
        ("from 2012 to now", TextFilters("", date_from="2012-01-01")),
        ("2015-2017 edema", TextFilters("edema", date_from="2015-01-01", date_to="2017-12-31")),
        ("2018 chest X-rays", TextFilters("chest X-rays", date_from="2018-01-01", date_to="2018-12-31")),
        ("January 2020 edema", TextFilters("edema", date_from="2020-01-01", date_to="2020-01-31")),
        ("woman in her seventies", TextFilters("", sex="F", age_from=70, age_to=79)),
        ("a 6-month-old", TextFilters("a", age_to=1)),
        ("no earlier than 2019", TextFilters("", date_from="2019-01-01")),
        ("over ninety", TextFilters("", age_from=90)),
        ("children", TextFilters("", age_to=17)),
        ("edema in 2019", TextFilters("edema", date_from="2019-01-01", date_to="2019-12-31")),
        ("edema before 2020-03-01", TextFilters("edema", date_to="2020-02-29")),
        ("since May 2015", TextFilters("", date_from="2015-05-01")),
        ("after 3 May 2015", TextFilters("", date_from="2015-05-04")),
        ("between 2018 and June 2020", TextFilters("", date_from="2018-01-01", date_to="2020-06-30")),
        ("from 2018-2020", TextFilters("", date_from="2018-01-01", date_to="2020-12-31")),
        ("on May 3rd, 2015", TextFilters("", date_from="2015-05-03", date_to="2015-05-03")),
        ("until 2020/02", TextFilters("", unread_dates=("2020/02",))),
        ("in 2019-13-01", TextFilters("", unread_dates=("2019-13-01",))),
        ("I want ten effusions", TextFilters("effusions", limit=10)),
        ("effusions, ideally five of them", TextFilters("effusions,", limit=5)),
        ("limit 7 nodules", TextFilters("nodules", limit=7)),
        ("at most 3 results", TextFilters("", limit=3)),
        ("s50414267", TextFilters("", study_id="s50414267")),
        ("P10000032", TextFilters("", subject_id="p10000032")),
        (f"like {HEX}", TextFilters("like", image_id=HEX)),
        (UID, TextFilters("", image_id=UID)),
        ("", TextFilters("")),
    ],
)
def test_filters_are_read_from_a_query(query: str, expected: TextFilters) -> None:
    assert read_text_filters(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        *(
            "PA catheter",
            "PA line",
            "PA pressure",
            "lateral rib fracture",
            "fracture of the lateral wall",
            "PA hypertension",
        ),
        *("blunted lateral costophrenic angle", "portable film", "show 5 mm nodule", "show 2 cm mass", "both sexes"),
        *("adult respiratory distress syndrome", "looks like two nodules", "fall from 2019 mm"),
        *("2000 effusions", "over 100 kg", "patient with 3 films", "patients who need 2 chest tubes", "not displaced"),
        *("nodule over 5 mm", "s1234", "1.2.3", "manual reading", "5 nodules"),
        *(
            "no more than one mass",
            "up to 2 chest tubes",
            "a maximum of 2 ports",
            "at most three fractures",
            "2 masses and 2 nodules",
        ),
        *("a single nodule", "one study per patient", "two images of each patient"),
    ],
)
def test_words_that_only_look_like_a_request_stay(query: str) -> None:
    assert read_text_filters(query) == TextFilters(query)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("women over 60", "women aged 60 or over"),
        ("under 40", "patients aged 39 or under"),
        ("aged 40 to 50", "patients aged 40 to 50"),
        ("men aged 70", "men aged 70"),
        ("women", "women"),
        ("men and women", ""),
    ],
)
def test_sex_and_age_are_told_to_people(query: str, words: str) -> None:
    assert read_text_filters(query).patient_words == words


@pytest.mark.parametrize(
    "query", ["at least 2 rib fractures", "nodules over 10 millimeters", "older than 2 weeks", "fall from 10 feet"]
)
def test_a_number_of_other_things_is_no_age(query: str) -> None:
    assert read_text_filters(query).patient_words == ""


@pytest.mark.parametrize(
    "date",
    [
        *("last year", "mid-2015", "12 May", "early March 2014", "past 6 months", "Q2 2016", "two years ago"),
        *("3/4/15", "summer 2015", "this week", "most recent", "yesterday"),
    ],
)
def test_a_date_without_fixed_days_is_named(date: str) -> None:
    assert read_text_filters(f"edema {date}") == TextFilters("edema", unread_dates=(date,))
