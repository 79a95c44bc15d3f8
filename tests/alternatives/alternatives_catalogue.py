"""Writes the catalogue that kezuri brings along, from the folder `library` of docker-library/official-images:
`python -m tests.alternatives.alternatives_catalogue DIRECTORY DATE > src/kezuri/alternatives/catalogue.txt`."""

import sys

from kezuri.alternatives.catalogue import compact, of_directory

SOURCE = "https://github.com/docker-library/official-images, folder library (Apache-2.0)"

if __name__ == "__main__":
    directory, date = sys.argv[1:]
    sys.stdout.write("# Tags of the official images of Docker Hub. A line is an image: its tags | its architectures.\n")
    for line in compact(of_directory(directory)._replace(date=date, source=SOURCE)):
        sys.stdout.write(line + "\n")
