"""`nas data --out FOLDER`: inputs as pictures, for `nas predict`."""

import numpy as np
from PIL import Image
from small_digits import RECIPE, changes, refused

from nas.cli.main import run
from nas.datasets.digits import DigitPairs


def test_inputs_are_written_as_the_pictures_they_were_made_of(tmp_path, capsys):
    folder = tmp_path / "pictures"
    assert run(["data", RECIPE, "--out", str(folder), "--split", "test", "--samples", "3", *changes()]) == 0
    assert capsys.readouterr().out.strip() == str(folder)
    names = [f"test-{index:04d}.png" for index in (0, 10, 21)]
    assert sorted(path.name for path in folder.iterdir()) == names, "from all over the 32 samples"
    source = DigitPairs(num_train=64, num_architecture=32, num_validation=32, num_test=32)
    (mean,), (std,) = source.pixel_scale.mean, source.pixel_scale.std
    for name, index in zip(names, (0, 10, 21), strict=True):
        with Image.open(folder / name) as picture:
            assert picture.mode == "L"
            found = np.array(picture) / 255
        # The digits are noisy, and a picture has nothing below black or above white.
        expected = (source.split("test")[index][0][0] * std + mean).clip(0, 1)
        # Half of what 8 bits tell apart, and float32's last digits.
        np.testing.assert_allclose(found, expected, rtol=0, atol=0.5 / 255 + 1e-6)


def test_inputs_that_are_no_pictures_are_refused(tmp_path, capsys):
    recipe = RECIPE.replace("digits.py", "planted.py")
    line = refused(capsys, "data", recipe, "--out", tmp_path / "pictures")
    assert "the data do not say how pixels become inputs" in line
    assert not (tmp_path / "pictures").exists()
