"""Guards of the tools."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

TEXT_EXTRACTOR = "tools/src/docfleet/tools/builtin/text_extractor"
_TEXTS = "tests/unit/tools/builtin/text_extractor"
E_INVOICE = "tools/src/docfleet/tools/builtin/field_extractor/einvoice"
TESTS_E_INVOICE = "tests/unit/tools/builtin/field_extractor/einvoice"

_OPENXML = "tests/unit/tools/builtin/text_extractor/openxml"

MUTANTS = (
    mutant(
        "kept results of a step are of this release",
        "tests/unit/tools/test_registry.py::test_a_release_takes_up_no_step_results_of_an_earlier_one",
        (
            "tools/src/docfleet/tools/registry.py",
            "{version}+{metadata.version('docfleet-tools')}",
            "{version}",
        ),
    ),
    mutant(
        "an office file that is cut off is called so",
        "tests/security/test_causes.py::test_an_office_file_that_is_cut_off_is_called_so",
        ("tools/src/docfleet/tools/sdk/media.py", "members, named = _left_in(path)", "members, named = [], b''"),
    ),
    mutant(
        "an archive with a password is called so",
        "tests/security/test_causes.py::test_a_document_with_a_password_is_called_so",
        (f"{TEXT_EXTRACTOR}/document.py", "member.flag_bits & _ENCRYPTED", "False"),
    ),
    mutant(
        "the words of a reader stay out of a cause",
        "tests/security/test_causes.py::test_every_cause_can_be_acted_on[damaged]",
        (f"{TEXT_EXTRACTOR}/document.py", "{cause}; {SEND_AGAIN}", "{error!r}; {SEND_AGAIN}"),
    ),
    mutant(
        "a picture is made small enough for Tesseract",
        "tests/unit/tools/builtin/text_extractor/test_ocr.py::test_a_picture_with_a_side_too_long_for_tesseract_is_read[tesseract]",
        (f"{TEXT_EXTRACTOR}/tesseract.py", "if max(image.size) * scale > _LONGEST_PIXELS:", "if False:"),
    ),
    mutant(
        "UTF-8 with errors is no code page",
        "tests/unit/tools/sdk/test_text.py::test_utf8_with_a_bad_byte_stays_utf8",
        ("tools/src/docfleet/tools/sdk/text.py", "return sequences > errors,", "return False,"),
    ),
    mutant(
        "a charset that the bytes contradict is not believed",
        "tests/unit/tools/sdk/test_text.py::test_what_is_declared_counts_unless_the_bytes_contradict",
        ("tools/src/docfleet/tools/sdk/text.py", 'text.count("\\ufffd") > high * _FEW_ERRORS', "False"),
    ),
    mutant(
        "deleted text of OpenDocument is left out",
        "tests/unit/tools/builtin/text_extractor/test_opendocument.py::test_what_stands_in_a_text",
        (f"{TEXT_EXTRACTOR}/opendocument.py", '    "text:tracked-changes",\n', ""),
    ),
    mutant(
        "repeated rows of OpenDocument are bounded",
        "tests/unit/tools/builtin/text_extractor/test_opendocument.py::test_rows_that_are_repeated_without_end_are_refused",
        (f"{TEXT_EXTRACTOR}/opendocument.py", "if self._size > self._limit:", "if False:"),
    ),
    mutant(
        "deleted and hidden text of RTF is left out",
        "tests/unit/tools/builtin/text_extractor/test_rtf.py::test_what_stands_in_rtf",
        (f"{TEXT_EXTRACTOR}/rtf.py", "group.is_skipped or group.is_hidden or group.is_deleted", "group.is_skipped"),
    ),
    mutant(
        "an encrypted Outlook message is not a signed one",
        "tests/unit/tools/builtin/text_extractor/test_outlook.py::test_encrypted_and_signed_messages",
        (
            f"{TEXT_EXTRACTOR}/outlook.py",
            "        if content is None:\n            raise PasswordRequired(ENCRYPTED)\n",
            "",
        ),
    ),
    mutant(
        "LibreOffice has a profile of its own in the run",
        "tests/unit/tools/builtin/text_extractor/test_legacy.py::test_documents_of_office_97",
        (f"{TEXT_EXTRACTOR}/legacy.py", ", dir=path.parent) as name:", ") as name:"),
    ),
    mutant(
        "a page on its side is turned",
        "tests/unit/tools/builtin/text_extractor/test_ocr.py::test_a_turned_picture_is_read_in_its_direction_and_its_boxes_stay[90-ppocr]",
        (f"{TEXT_EXTRACTOR}/ocr.py", "for degrees in _turns(best):", "for degrees in ():"),
    ),
    mutant(
        "a page askew is made level",
        "tests/unit/tools/builtin/text_extractor/test_ocr.py::test_a_turned_picture_is_read_in_its_direction_and_its_boxes_stay[-9-tesseract]",
        (f"{TEXT_EXTRACTOR}/ocr.py", "tilt = skew(image)", "tilt = 0.0"),
    ),
    mutant(
        "a page in a script without data is no success",
        "tests/unit/tools/builtin/text_extractor/test_ocr.py::test_a_page_in_another_script_names_the_data_that_it_needs",
        (
            f"{TEXT_EXTRACTOR}/ocr.py",
            "    if not languages:",
            "    if not languages:\n        return best\n    if False:",
        ),
    ),
    mutant(
        "no engine with threads is loaded before a fork",
        "tests/unit/tools/builtin/text_extractor/test_ocr.py::test_nothing_that_a_fork_would_lose_is_preloaded",
        (f"{TEXT_EXTRACTOR}/ppocr.py", "    import faster_paddle  # noqa: F401", '    _engine("tiny", 1600)'),
    ),
    mutant(
        "patterns are no text",
        "tests/unit/tools/builtin/text_extractor/test_ppocr.py::test_what_is_hardly_text_is_left_out",
        (f"{TEXT_EXTRACTOR}/ppocr.py", ">= _LEAST_CONFIDENCE]", ">= 0]"),
    ),
    mutant(
        "a word in two parts of a picture is read once",
        "tests/unit/tools/builtin/text_extractor/test_ppocr.py::test_small_print_on_a_poster_is_read_and_each_word_once",
        (f"{TEXT_EXTRACTOR}/ppocr.py", "if left <= (moved.left + moved.right) / 2 < right and", "if"),
    ),
    mutant(
        "a page in a script without data costs no other page",
        "tests/unit/tools/builtin/text_extractor/test_pdf.py::test_a_page_in_a_script_without_data_costs_no_other_page",
        (
            f"{TEXT_EXTRACTOR}/pdf.py",
            "    except LanguageMissing as error:\n",
            "    except ZeroDivisionError as error:\n",
        ),
    ),
    mutant(
        "serial numbers keep their digits",
        "tests/unit/tools/builtin/text_extractor/test_ppocr.py::test_letters_and_digits_that_look_alike",
        (f"{TEXT_EXTRACTOR}/ppocr.py", "_ALMOST_WORD.fullmatch(text) and", "True and"),
    ),
    mutant(
        "a chapter is read once",
        "tests/unit/tools/builtin/text_extractor/test_markup.py::test_a_chapter_is_read_once_however_often_a_book_names_it",
        (f"{TEXT_EXTRACTOR}/markup.py", "if name not in texts:", "if True:"),
    ),
    mutant(
        "a book that repeats itself is too large",
        "tests/unit/tools/builtin/text_extractor/test_markup.py::test_a_book_that_repeats_itself_is_too_large",
        (f"{TEXT_EXTRACTOR}/markup.py", "if size > reading.max_expanded_bytes:", "if False:"),
    ),
    mutant(
        "a full disk under a tool is no fault of the document",
        "tests/unit/tools/sdk/test_run.py::test_a_failure_is_one_error_line_and_changes_nothing",
        ("tools/src/docfleet/tools/sdk/run.py", "if isinstance(trouble, StorageFull):", "if False:"),
    ),
    mutant(
        "an electronic invoice with entities is refused",
        f"{TESTS_E_INVOICE}/test_xml.py::test_a_document_type_is_refused",
        (f"{E_INVOICE}/xml.py", "    if found:\n        raise XmlBroken(_NO_DOCUMENT_TYPE)", "    return"),
        (f"{E_INVOICE}/xml.py", "if root.getroottree().docinfo.internalDTD is not None:", "if False:"),
    ),
    mutant(
        "an electronic invoice that differs from its text is not matched",
        "tests/unit/tools/builtin/field_extractor/test_tool.py::test_what_differs_from_the_text_is_not_matched",
        (f"{E_INVOICE}/reader.py", "made += checks.against_text(invoice, text, by_ocr=by_ocr)", "pass"),
    ),
    mutant(
        "a lot of invoices is not one",
        f"{TESTS_E_INVOICE}/test_reader.py::test_several_invoices_in_one_file_are_not_one",
        (f"{E_INVOICE}/reader.py", "if others or len(invoices_of_first) > 1:", "if False:"),
    ),
    mutant(
        "a broken electronic invoice is said",
        f"{TESTS_E_INVOICE}/test_reader.py::test_a_broken_one_is_said",
        (f"{E_INVOICE}/reader.py", "return EInvoice(None, failures) if failures else None", "return None"),
    ),
    mutant(
        "the tax in another currency is not the tax",
        f"{TESTS_E_INVOICE}/test_cii.py::test_a_tax_in_a_second_currency_is_not_the_tax",
        (f"{E_INVOICE}/cii.py", 'if amount.get("currencyID") == currency]', "]"),
    ),
    mutant(
        "what an office file shows again and again is bounded",
        f"{_OPENXML}/test_workbook.py::test_a_string_shown_by_many_cells_is_a_bomb",
        (f"{TEXT_EXTRACTOR}/openxml/package.py", "if self._spent > self._limit:", "if False:"),
    ),
    mutant(
        "empty cells of a sheet are counted, too",
        f"{_OPENXML}/test_workbook.py::test_empty_columns_and_rows_are_a_bomb",
        (f"{TEXT_EXTRACTOR}/openxml/workbook.py", "book.budget.spend(len(rows) * len(columns))", "pass"),
    ),
    mutant(
        "documents merged into each other end",
        f"{_OPENXML}/test_word.py::test_documents_merged_into_each_other_end",
        (f"{TEXT_EXTRACTOR}/openxml/word.py", "if depth > _MAX_DEPTH:", "if False:"),
    ),
    mutant(
        "a drawing is read once",
        f"{_OPENXML}/test_word.py::test_a_drawing_is_read_once_however_often_it_is_named",
        (f"{TEXT_EXTRACTOR}/openxml/package.py", "if part in self._taken:", "if False:"),
    ),
    mutant(
        "data of a document that many controls show is bounded",
        f"{_OPENXML}/test_word.py::test_data_shown_by_many_controls_is_a_bomb",
        (f"{TEXT_EXTRACTOR}/openxml/binding.py", "self._budget.spend(len(text))", "pass"),
    ),
    mutant(
        "a number of a workbook keeps its sign",
        f"{_OPENXML}/test_number_format.py::test_the_sign_of_a_number_is_never_lost",
        (
            f"{TEXT_EXTRACTOR}/openxml/number_format.py",
            "if is_negative and not (",
            "if is_negative and not is_without_sign and not (",
        ),
    ),
    mutant(
        "the currency of a machine is none of a workbook",
        f"{_OPENXML}/test_number_format.py::test_currency_of_the_machine_is_no_currency_of_the_document",
        (f"{TEXT_EXTRACTOR}/openxml/number_format.py", '44: "#,##0.00;(#,##0.00)"', '44: "$#,##0.00;($#,##0.00)"'),
    ),
    mutant(
        "a field that never ends takes no text away",
        f"{_OPENXML}/test_word.py::test_a_field_that_never_ends_takes_no_text_away",
        (f"{TEXT_EXTRACTOR}/openxml/story.py", "if any(not each.is_result for each in self._fields):", "if False:"),
    ),
    mutant(
        "text that was moved away is left out",
        f"{_OPENXML}/test_word.py::test_tracked_changes_are_shown_as_accepted",
        (f"{TEXT_EXTRACTOR}/openxml/story.py", '"del", "moveFrom", "rPr"', '"del", "rPr"'),
    ),
    mutant(
        "a page that cannot be read is named",
        f"{_TEXTS}/test_pdf.py::test_a_broken_page_is_said_in_its_place",
        (f"{TEXT_EXTRACTOR}/pdf.py", '.setdefault("pages_unreadable", []).append(number)', ".copy()"),
    ),
    mutant(
        "glyphs without characters are read from the picture",
        f"{_TEXTS}/test_pdf_ocr.py::test_glyphs_without_characters_are_read_from_the_picture[57376]",
        (
            f"{TEXT_EXTRACTOR}/pdf_ocr.py",
            "in_doubt >= _DOUBTFUL_CHARACTERS or in_doubt >",
            "in_doubt < 0 and in_doubt >",
        ),
    ),
    mutant(
        "a control character is no text",
        f"{_TEXTS}/test_pdf_ocr.py::test_without_ocr_no_control_character_is_text",
        (f"{TEXT_EXTRACTOR}/pdf_text.py", '("Cc", "Cn", "Co")', '("Cn", "Co")'),
    ),
    mutant(
        "what a failed recognition left behind a scan is no text",
        f"{_TEXTS}/test_pdf_ocr.py::test_what_a_failed_recognition_left_behind_a_scan_is_no_text",
        (f"{TEXT_EXTRACTOR}/pdf_page.py", "kept if is_plausible(kept) else []", "kept"),
    ),
    mutant(
        "a hidden note stays hidden",
        f"{_TEXTS}/test_pdf_annotations.py::test_what_is_hidden_stays_hidden",
        (
            f"{TEXT_EXTRACTOR}/pdf_annotations.py",
            "FPDFAnnot_GetFlags(annotation) & _HIDDEN",
            "FPDFAnnot_GetFlags(annotation) & 0",
        ),
    ),
    mutant(
        "a password that is typed into a form stays out of the text",
        f"{_TEXTS}/test_pdf_annotations.py::test_what_is_typed_into_a_form_stands_beside_its_label[True]",
        (
            f"{TEXT_EXTRACTOR}/pdf_annotations.py",
            "FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD:",
            "FPDFAnnot_GetFormFieldFlags(form, annotation) & 0:",
        ),
    ),
    mutant(
        "a remark over several columns is no cell of a table",
        f"{_TEXTS}/test_tables.py::test_a_remark_over_several_columns_is_no_cell",
        (
            f"{TEXT_EXTRACTOR}/tables.py",
            "lambda line: any(_spans(cell, columns) for cell in line)",
            "lambda line: False",
        ),
    ),
    mutant(
        "numbers below a heading are no part of it",
        f"{_TEXTS}/test_tables.py::test_a_heading_that_stands_close_to_its_numbers_is_parted_from_them",
        (f"{TEXT_EXTRACTOR}/tables.py", "if len(numbers & texts) >= _LEAST_NUMBERS:", "if False:"),
    ),
)
