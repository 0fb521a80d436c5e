"""A folder of pictures and a table: each column that you name becomes a task.

    photos/
      labels.csv        file, species, weight, ill, outline
      images/0001.jpg   named in the column "file"
      masks/0001.png    named in the column "outline"; an empty cell is a missing label

`ImagesCsv` reads it, infers what each column holds (classes, yes or no, a number, a mask per pixel), and states its
tasks, so an experiment need not name any:

    Experiment(
        data=lazy(ImagesCsv, folder="photos", targets=["species", "weight", "ill", "outline"], size=(96, 96)),
        backbone=lazy(MobileNetV2, weights="mobilenet_v2.pth"),
    )

``targets={"weight": "number"}`` states what a column holds. `nas check` shows what was inferred. `runs/images_csv.py`
is a recipe for any such folder. `source` is the data source, `masks` reads masks, and `nas.datasets.columns` the table.
"""

from nas.datasets.images_csv.source import Edit, ImagesCsv

__all__ = ["Edit", "ImagesCsv"]
