"""python -m alr_cli"""

from alr_cli.cli.app import main

if __name__ == "__main__":
    main()
