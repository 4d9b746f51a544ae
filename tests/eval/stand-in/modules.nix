# The stand-in's module system: options, definitions with conditions, priorities
# and order, imports, free-form settings of a whole submodule. Leaves out what this
# repository does not need, such as `disabledModules` and priorities of whole subtrees.
{ lib, concatMap }:

let
  inherit (builtins)
    attrNames
    filter
    foldl'
    isAttrs
    isFunction
    ;

  property = kind: fields: { _type = kind; } // fields;
  isProperty = kind: value: isAttrs value && value._type or null == kind;

  # What nixpkgs calls the priority of a plain definition and of a default.
  plain = 100;
  optionDefault = 1500;

  # Without conditions and merges, for the levels above options. A condition goes to what it is
  # about, so that it may depend on an option beside.
  discharge =
    value:
    if isProperty "if" value then
      map (builtins.mapAttrs (
        _: content:
        property "if" {
          inherit (value) condition;
          inherit content;
        }
      )) (discharge value.content)
    else if isProperty "merge" value then
      concatMap discharge value.contents
    else
      [ value ];

  # One definition as a list of values with their priority and order.
  dischargeDefinition =
    definition:
    let
      go =
        priority: order: value:
        if isProperty "if" value then
          if value.condition then go priority order value.content else [ ]
        else if isProperty "merge" value then
          concatMap (go priority order) value.contents
        else if isProperty "override" value then
          go value.priority order value.content
        else if isProperty "order" value then
          go priority value.priority value.content
        else
          [
            {
              inherit (definition) file;
              inherit priority order value;
            }
          ];
    in
    go definition.priority or plain 1000 definition.value;

  mergeDefinitions =
    location: type: definitions:
    let
      values = concatMap dischargeDefinition definitions;
      strongest = foldl' (
        least: entry: if entry.priority < least then entry.priority else least
      ) 9999 values;
      winners = filter (entry: entry.priority == strongest) values;
      # `sort` keeps the order of equal entries.
      sorted = builtins.sort (a: b: a.order < b.order) winners;
      wrong = filter (entry: !type.check entry.value) sorted;
    in
    {
      isDefined = values != [ ];
      mergedValue =
        if values == [ ] then
          throw "The option `${lib.showOption location}' was accessed but has no value defined."
        else if wrong != [ ] then
          throw "A definition for option `${lib.showOption location}' is not of type `${type.name}'."
        else
          type.merge location (map (entry: { inherit (entry) file value; }) sorted);
    };

  # One module of any form, with its imports in front of it.
  collect =
    arguments: module:
    let
      imported = if builtins.isPath module || builtins.isString module then import module else module;
      called = if isFunction imported then imported arguments else imported;
      meta = [
        "_file"
        "disabledModules"
        "imports"
      ];
    in
    concatMap (collect arguments) (called.imports or [ ])
    ++ [
      {
        file = toString (called._file or "a module");
        options = called.options or { };
        freeform = lib.optional (called ? freeformType) called.freeformType;
        config = called.config or (if called ? options then { } else removeAttrs called meta);
      }
    ];

  mergeDeclarations =
    location: trees:
    if lib.any (isProperty "option") trees then
      if builtins.length trees == 1 then
        builtins.head trees
      else
        throw "The option `${lib.showOption location}' is declared twice."
    else
      builtins.listToAttrs (
        map (
          name:
          lib.nameValuePair name (
            mergeDeclarations (location ++ [ name ]) (
              map (tree: tree.${name}) (filter (tree: tree ? ${name}) trees)
            )
          )
        ) (lib.unique (concatMap attrNames trees))
      );

  # The tree of declarations with the values that the definitions give them. What is
  # not declared has the type in `freeform`, if there is one.
  evaluate =
    freeform: location: declared: definitions:
    if isProperty "option" declared then
      let
        default = lib.optional (declared ? default) {
          file = "a default";
          value = declared.default;
          priority = optionDefault;
        };
        merged = mergeDefinitions location declared.type (definitions ++ default);
      in
      removeAttrs declared [ "apply" ]
      // {
        definitions = map (definition: definition.value) definitions;
        isDefined = definitions != [ ] && (mergeDefinitions location declared.type definitions).isDefined;
        value = (declared.apply or (value: value)) merged.mergedValue;
      }
    else
      let
        discharged = concatMap (
          definition:
          map (value: {
            inherit (definition) file;
            inherit value;
          }) (discharge definition.value)
        ) definitions;
        unknown = filter (name: !declared ? ${name}) (
          concatMap (definition: attrNames definition.value) discharged
        );
      in
      if freeform != [ ] && unknown != [ ] then
        evaluate [ ] location declared (
          map (
            definition: definition // { value = builtins.intersectAttrs declared definition.value; }
          ) discharged
        )
        //
          builtins.mapAttrs
            (_: value: {
              _type = "option";
              inherit value;
            })
            (
              (mergeDefinitions location (builtins.head freeform) (
                map (
                  definition: definition // { value = removeAttrs definition.value (attrNames declared); }
                ) discharged
              )).mergedValue
            )
      else
        # Which options there are does not depend on definitions, so those may depend on it.
        builtins.mapAttrs (
          name: inner:
          evaluate [ ] (location ++ [ name ]) inner (
            if unknown != [ ] then
              throw "The option `${lib.showOption (location ++ [ (builtins.head unknown) ])}' does not exist."
            else
              map (definition: definition // { value = definition.value.${name}; }) (
                filter (definition: definition.value ? ${name}) discharged
              )
          )
        ) declared;

  valuesOf =
    tree: if isProperty "option" tree then tree.value else builtins.mapAttrs (_: valuesOf) tree;
in
{
  inherit mergeDefinitions;

  showOption = lib.concatStringsSep ".";

  mkOption = property "option";
  mkOptionType =
    type:
    {
      check = _: true;
      getSubOptions = _: { };
    }
    // type;
  mkIf = condition: content: property "if" { inherit condition content; };
  mkMerge = contents: property "merge" { inherit contents; };
  mkOverride = priority: content: property "override" { inherit priority content; };
  mkOrder = priority: content: property "order" { inherit priority content; };
  mkDefault = lib.mkOverride 1000;
  mkForce = lib.mkOverride 50;
  mkBefore = lib.mkOrder 500;
  mkAfter = lib.mkOrder 1500;

  literalExpression = text: property "literalExpression" { inherit text; };

  mkEnableOption =
    name:
    lib.mkOption {
      type = lib.types.bool;
      default = false;
      example = true;
      description = "Whether to enable ${name}.";
    };

  mkPackageOption =
    pkgs: name: _:
    lib.mkOption {
      type = lib.types.package;
      default = pkgs.${name};
      defaultText = lib.literalExpression "pkgs.${name}";
      description = "The ${name} package to use.";
    };

  mkRemovedOptionModule =
    path: wayOut:
    { options, ... }:
    {
      options = lib.setAttrByPath path (
        lib.mkOption {
          type = lib.types.attrs;
          visible = false;
        }
      );
      config.assertions = [
        {
          assertion = !(lib.getAttrFromPath path options).isDefined;
          message = "The option definition `${lib.showOption path}' no longer has any effect. ${wayOut}";
        }
      ];
    };

  # As an alias: whatever priority and conditions a definition of the former name has, it
  # has under the new one.
  mkRenamedOptionModule =
    former: present:
    { config, options, ... }:
    let
      option = lib.getAttrFromPath former options;
    in
    {
      options = lib.setAttrByPath former (
        lib.mkOption {
          type = (lib.getAttrFromPath present options).type;
          visible = false;
          apply = _: lib.getAttrFromPath present config;
        }
      );
      config = lib.mkMerge [
        {
          warnings = lib.optional option.isDefined "The option `${lib.showOption former}' has been renamed to `${lib.showOption present}'.";
        }
        (lib.setAttrByPath present (lib.mkMerge option.definitions))
      ];
    };

  evalModules =
    {
      modules,
      specialArgs ? { },
      prefix ? [ ],
    }:
    let
      arguments = specialArgs // {
        inherit config lib options;
      };
      collected = concatMap (collect arguments) modules;
      declared = mergeDeclarations prefix (map (module: module.options) collected);
      options = evaluate (concatMap (module: module.freeform) collected) prefix declared (
        map (module: {
          inherit (module) file;
          value = module.config;
        }) collected
      );
      config = valuesOf options;
    in
    {
      inherit config options;
    };
}
