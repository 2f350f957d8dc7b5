<?xml version="1.0" encoding="UTF-8"?>
<!-- The narrative block of CDA (§4.3.5) and media. Unknown elements give their text; what could run gives nothing. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:v="urn:hl7-org:v3"
    exclude-result-prefixes="v">
  <xsl:variable name="image-limit" select="8000000"/>
  <xsl:variable name="base64" select="'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/='"/>

  <xsl:template match="*" mode="narrative">
    <xsl:text> </xsl:text>
    <xsl:apply-templates mode="narrative"/>
    <xsl:text> </xsl:text>
  </xsl:template>

  <xsl:template match="comment() | processing-instruction()" mode="narrative"/>

  <xsl:template mode="narrative" priority="-0.25" match="*[contains('|script|style|iframe|frame|object|embed|applet|template|noscript|svg|math|link|meta|base|form|',
      concat('|', translate(local-name(), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'), '|'))]"/>

  <xsl:template match="v:br" mode="narrative"><br/></xsl:template>

  <xsl:template match="v:sub | v:sup" mode="narrative">
    <xsl:element name="{local-name()}"><xsl:apply-templates mode="narrative"/></xsl:element>
  </xsl:template>

  <xsl:template match="v:paragraph" mode="narrative">
    <xsl:choose>
      <xsl:when test="v:paragraph or v:list or v:table">
        <div class="p"><xsl:call-template name="marks"/><xsl:apply-templates mode="narrative"/></div>
      </xsl:when>
      <xsl:otherwise>
        <p><xsl:call-template name="marks"/><xsl:apply-templates mode="narrative"/></p>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="v:content" mode="narrative">
    <xsl:choose>
      <xsl:when test="starts-with(., '☒ ') and contains(concat(' ', @styleCode, ' '), ' xOn ')">
        <span>
          <xsl:if test="string-length(.) &lt; 45"><xsl:attribute name="class">choice</xsl:attribute></xsl:if>
          <span class="box" role="img" aria-label="đã chọn">×</span><xsl:text> </xsl:text><xsl:value-of select="substring(., 3)"/>
        </span>
      </xsl:when>
      <xsl:when test="starts-with(., '☐ ') and contains(concat(' ', @styleCode, ' '), ' xOff ')">
        <span>
          <xsl:if test="string-length(.) &lt; 45"><xsl:attribute name="class">choice</xsl:attribute></xsl:if>
          <span class="box" role="img" aria-label="không chọn">&#160;</span><xsl:text> </xsl:text><xsl:value-of select="substring(., 3)"/>
        </span>
      </xsl:when>
      <xsl:when test="@revised = 'delete'">
        <del><xsl:call-template name="marks"/><xsl:apply-templates mode="narrative"/></del>
      </xsl:when>
      <xsl:when test="@revised = 'insert'">
        <ins><xsl:call-template name="marks"/><xsl:apply-templates mode="narrative"/></ins>
      </xsl:when>
      <xsl:when test="@ID or @styleCode">
        <span><xsl:call-template name="marks"/><xsl:apply-templates mode="narrative"/></span>
      </xsl:when>
      <xsl:otherwise><xsl:apply-templates mode="narrative"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="v:footnote" mode="narrative">
    <span role="note"><xsl:call-template name="marks"><xsl:with-param name="class" select="'footnote'"/></xsl:call-template>
      <xsl:text>[</xsl:text><xsl:apply-templates mode="narrative"/><xsl:text>]</xsl:text>
    </span>
  </xsl:template>

  <xsl:template match="v:footnoteRef" mode="narrative">
    <xsl:if test="key('id', @IDREF)/self::v:footnote">
      <a href="#n-{@IDREF}">[xem chú thích]</a>
    </xsl:if>
  </xsl:template>

  <xsl:template match="v:linkHtml" mode="narrative">
    <xsl:variable name="to" select="normalize-space(@href)"/>
    <xsl:choose>
      <xsl:when test="starts-with($to, '#') and key('id', substring($to, 2)) and not($head)">
        <a href="#n-{substring($to, 2)}"><xsl:call-template name="link-text"/></a>
      </xsl:when>
      <xsl:when test="starts-with($to, 'https://') or starts-with($to, 'http://') or starts-with($to, 'mailto:')">
        <a href="{$to}" rel="noopener noreferrer nofollow external"><xsl:call-template name="link-text"/></a>
      </xsl:when>
      <xsl:otherwise><xsl:call-template name="link-text"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="link-text">
    <xsl:choose>
      <xsl:when test="normalize-space(.)"><xsl:apply-templates mode="narrative"/></xsl:when>
      <xsl:otherwise><xsl:value-of select="@href"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="v:caption" mode="narrative">
    <span class="caption"><xsl:apply-templates mode="narrative"/></span>
  </xsl:template>

  <xsl:template match="v:list" mode="narrative">
    <xsl:if test="v:caption">
      <p class="caption"><xsl:apply-templates select="v:caption/node()" mode="narrative"/></p>
    </xsl:if>
    <xsl:choose>
      <xsl:when test="@listType = 'ordered'">
        <ol>
          <xsl:call-template name="marks"/>
          <xsl:choose>
            <xsl:when test="contains(@styleCode, 'LittleRoman')"><xsl:attribute name="type">i</xsl:attribute></xsl:when>
            <xsl:when test="contains(@styleCode, 'BigRoman')"><xsl:attribute name="type">I</xsl:attribute></xsl:when>
            <xsl:when test="contains(@styleCode, 'LittleAlpha')"><xsl:attribute name="type">a</xsl:attribute></xsl:when>
            <xsl:when test="contains(@styleCode, 'BigAlpha')"><xsl:attribute name="type">A</xsl:attribute></xsl:when>
          </xsl:choose>
          <xsl:apply-templates select="v:item" mode="narrative"/>
        </ol>
      </xsl:when>
      <xsl:otherwise>
        <ul><xsl:call-template name="marks"/><xsl:apply-templates select="v:item" mode="narrative"/></ul>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="v:item" mode="narrative">
    <li><xsl:call-template name="marks"/><xsl:apply-templates mode="narrative"/></li>
  </xsl:template>

  <xsl:template match="v:table" mode="narrative">
    <xsl:variable name="columns" select="count((v:thead/v:tr | v:tbody/v:tr | v:tr)[1]/*)"/>
    <div>
      <xsl:attribute name="class">
        <xsl:text>wide</xsl:text>
        <xsl:if test="$columns &gt; 6"> tight</xsl:if>
        <xsl:if test="$columns &gt; 14"> dense</xsl:if>
      </xsl:attribute>
      <table>
        <xsl:call-template name="marks"/>
        <xsl:if test="v:caption">
          <caption><xsl:apply-templates select="v:caption/node()" mode="narrative"/></caption>
        </xsl:if>
        <xsl:if test="v:thead/v:tr"><thead><xsl:apply-templates select="v:thead/v:tr" mode="narrative"/></thead></xsl:if>
        <xsl:for-each select="v:tbody[v:tr]">
          <tbody><xsl:apply-templates select="v:tr" mode="narrative"/></tbody>
        </xsl:for-each>
        <xsl:if test="v:tr"><tbody><xsl:apply-templates select="v:tr" mode="narrative"/></tbody></xsl:if>
        <xsl:if test="v:tfoot/v:tr"><tfoot><xsl:apply-templates select="v:tfoot/v:tr" mode="narrative"/></tfoot></xsl:if>
      </table>
    </div>
  </xsl:template>

  <xsl:template match="v:tr" mode="narrative">
    <tr><xsl:call-template name="marks"/><xsl:apply-templates select="v:th | v:td" mode="narrative"/></tr>
  </xsl:template>

  <xsl:template match="v:td" mode="narrative">
    <td>
      <xsl:call-template name="marks"/>
      <xsl:if test="@colspan or @rowspan"><xsl:call-template name="spans"/></xsl:if>
      <xsl:apply-templates mode="narrative"/>
    </td>
  </xsl:template>

  <xsl:template match="v:th" mode="narrative">
    <th>
      <xsl:call-template name="marks"/>
      <xsl:if test="@colspan or @rowspan"><xsl:call-template name="spans"/></xsl:if>
      <xsl:attribute name="scope">
        <xsl:choose>
          <xsl:when test="@scope = 'row' or @scope = 'col' or @scope = 'rowgroup' or @scope = 'colgroup'">
            <xsl:value-of select="@scope"/>
          </xsl:when>
          <xsl:when test="ancestor::v:thead">col</xsl:when>
          <xsl:otherwise>row</xsl:otherwise>
        </xsl:choose>
      </xsl:attribute>
      <xsl:apply-templates mode="narrative"/>
    </th>
  </xsl:template>

  <xsl:template name="spans">
    <xsl:for-each select="@colspan | @rowspan">
      <xsl:if test="number(.) &gt; 1 and number(.) &lt;= 200">
        <xsl:attribute name="{local-name()}"><xsl:value-of select="floor(number(.))"/></xsl:attribute>
      </xsl:if>
    </xsl:for-each>
  </xsl:template>

  <!-- The id and the known style codes of an element, as attributes of what is being written. -->
  <xsl:template name="marks">
    <xsl:param name="class" select="''"/>
    <xsl:if test="not($head) and @ID"><xsl:attribute name="id">n-<xsl:value-of select="@ID"/></xsl:attribute></xsl:if>
    <xsl:choose>
      <xsl:when test="@styleCode or @align or $class">
        <xsl:variable name="classes">
          <xsl:value-of select="$class"/>
          <xsl:if test="contains(@styleCode, 'Bold')"> bold</xsl:if>
          <xsl:if test="contains(@styleCode, 'Italics')"> italics</xsl:if>
          <xsl:if test="contains(@styleCode, 'Underline')"> underline</xsl:if>
          <xsl:if test="contains(@styleCode, 'Emphasis')"> italics</xsl:if>
          <xsl:if test="contains(@styleCode, 'Lrule')"> lrule</xsl:if>
          <xsl:if test="contains(@styleCode, 'Rrule')"> rrule</xsl:if>
          <xsl:if test="contains(@styleCode, 'Toprule')"> toprule</xsl:if>
          <xsl:if test="contains(@styleCode, 'Botrule')"> botrule</xsl:if>
          <xsl:if test="@align = 'center'"> centre</xsl:if>
          <xsl:if test="@align = 'right'"> right</xsl:if>
          <xsl:if test="@fit = 'short'"> short</xsl:if>
          <xsl:if test="@fit = 'split'"> split</xsl:if>
        </xsl:variable>
        <xsl:if test="normalize-space($classes)">
          <xsl:attribute name="class"><xsl:value-of select="normalize-space($classes)"/></xsl:attribute>
        </xsl:if>
      </xsl:when>
      <xsl:when test="@fit = 'short'"><xsl:attribute name="class">short</xsl:attribute></xsl:when>
      <xsl:when test="@fit = 'split'"><xsl:attribute name="class">split</xsl:attribute></xsl:when>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="v:renderMultiMedia" mode="narrative">
    <span class="media">
      <xsl:apply-templates select="key('id', @referencedObject)" mode="media"/>
      <xsl:if test="not(key('id', @referencedObject))">
        <xsl:call-template name="media-list"><xsl:with-param name="ids" select="normalize-space(@referencedObject)"/></xsl:call-template>
      </xsl:if>
      <xsl:if test="v:caption"><span class="caption"><xsl:apply-templates select="v:caption/node()" mode="narrative"/></span></xsl:if>
    </span>
  </xsl:template>

  <xsl:template name="media-list">
    <xsl:param name="ids"/>
    <xsl:if test="contains($ids, ' ')">
      <xsl:apply-templates select="key('id', substring-before($ids, ' '))" mode="media"/>
      <xsl:call-template name="media-list"><xsl:with-param name="ids" select="substring-after($ids, ' ')"/></xsl:call-template>
    </xsl:if>
    <xsl:if test="not(contains($ids, ' '))"><xsl:apply-templates select="key('id', $ids)" mode="media"/></xsl:if>
  </xsl:template>

  <xsl:template match="*" mode="media"/>

  <xsl:template match="v:regionOfInterest" mode="media">
    <xsl:apply-templates select="v:entryRelationship/v:observationMedia" mode="media"/>
    <span class="note">(Có vùng đánh dấu trên ảnh.)</span>
  </xsl:template>

  <xsl:template match="v:observationMedia" mode="media">
    <xsl:apply-templates select="v:value" mode="attachment"/>
  </xsl:template>

  <!-- An ED: text, an image of a known kind and size, or a note about what is attached. -->
  <xsl:template match="*" mode="attachment">
    <xsl:variable name="type" select="translate(@mediaType, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')"/>
    <xsl:choose>
      <xsl:when test="@representation = 'B64' and ($type = 'image/png' or $type = 'image/jpeg' or $type = 'image/gif')
          and string-length(.) &lt;= $image-limit and normalize-space(translate(., $base64, '')) = ''">
        <img alt="Hình trong tài liệu" src="data:{$type};base64,{translate(., ' &#10;&#13;&#9;', '')}"/>
      </xsl:when>
      <xsl:when test="not(@representation = 'B64') and normalize-space(.) and ($type = '' or starts-with($type, 'text/plain'))">
        <pre><xsl:value-of select="."/></pre>
      </xsl:when>
      <xsl:otherwise>
        <span class="note">
          <xsl:text>Tệp đính kèm</xsl:text>
          <xsl:if test="$type">: <xsl:value-of select="@mediaType"/></xsl:if>
          <xsl:choose>
            <xsl:when test="@representation = 'B64'">, khoảng <xsl:value-of select="ceiling(string-length(.) * 3 div 4096)"/> KB</xsl:when>
            <xsl:when test="v:reference/@value">, nằm ngoài tài liệu tại <xsl:value-of select="v:reference/@value"/></xsl:when>
          </xsl:choose>
          <xsl:text>. Nội dung không hiển thị ở đây.</xsl:text>
        </span>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
